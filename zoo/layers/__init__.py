"""The building blocks of the models: blocks of layers, and layers that Keras lacks.

Importing this package registers the layers with Keras, which `keras.saving.load_model` needs to load a .keras file
that contains one.
"""

from zoo.layers.highway import Highway
from zoo.layers.maxout import Maxout
from zoo.layers.normalization import LocalResponseNormalization
from zoo.layers.pooling import CeilAveragePooling2D, CeilMaxPooling2D, SpatialPyramidPooling2D
from zoo.layers.preprocessing import PixelScaling
from zoo.layers.rbf import RBF
from zoo.layers.residual import ChannelPadding, ScaledAdd
from zoo.layers.sparse import SparseConv2D
from zoo.layers.subsampling import TrainableSubsampling, scaled_tanh

__all__ = ["RBF", "CeilAveragePooling2D", "CeilMaxPooling2D", "ChannelPadding", "Highway",
           "LocalResponseNormalization", "Maxout", "PixelScaling", "ScaledAdd", "SparseConv2D",
           "SpatialPyramidPooling2D", "TrainableSubsampling", "scaled_tanh"]
