"""What the networks are made of: blocks of layers, and the layers that Keras lacks.

Importing it registers those layers with Keras, which otherwise cannot load a .keras file that holds one: after
`import zoo.layers`, `keras.saving.load_model` can.
"""

from zoo.layers.highway import Highway
from zoo.layers.maxout import Maxout
from zoo.layers.normalization import LocalResponseNormalization
from zoo.layers.pooling import CeilAveragePooling2D, CeilMaxPooling2D, SpatialPyramidPooling2D
from zoo.layers.preprocessing import PixelScaling
from zoo.layers.rbf import RBF
from zoo.layers.residual import ScaledAdd
from zoo.layers.sparse import SparseConv2D
from zoo.layers.subsampling import TrainableSubsampling, scaled_tanh

__all__ = ["RBF", "CeilAveragePooling2D", "CeilMaxPooling2D", "Highway", "LocalResponseNormalization", "Maxout",
           "PixelScaling", "ScaledAdd", "SparseConv2D", "SpatialPyramidPooling2D", "TrainableSubsampling",
           "scaled_tanh"]
