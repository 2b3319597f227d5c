"""What the networks are made of: blocks of layers, and the layers that Keras lacks.

Importing it registers those layers with Keras, which otherwise cannot load a .keras file that holds one: after
`import zoo.nn`, `keras.saving.load_model` can.
"""

from zoo.nn.highway import Highway
from zoo.nn.maxout import Maxout
from zoo.nn.normalization import LocalResponseNormalization
from zoo.nn.pixels import PixelScaling
from zoo.nn.pooling import CeilAveragePooling2D, CeilMaxPooling2D, SpatialPyramidPooling2D
from zoo.nn.rbf import RBF
from zoo.nn.residual import ScaledAdd
from zoo.nn.sparse import SparseConv2D
from zoo.nn.subsampling import TrainableSubsampling, scaled_tanh

__all__ = ["RBF", "CeilAveragePooling2D", "CeilMaxPooling2D", "Highway", "LocalResponseNormalization", "Maxout",
           "PixelScaling", "ScaledAdd", "SparseConv2D", "SpatialPyramidPooling2D", "TrainableSubsampling",
           "scaled_tanh"]
