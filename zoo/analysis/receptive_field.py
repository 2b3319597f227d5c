"""Which part of the picture each layer's output sees: the receptive field and the stride, by arithmetic on the graph.

One output of a layer sees a window of the picture, its receptive field; the windows of neighbouring outputs lie a
stride apart. A kernel or pool of k, whose steps are t, on a tensor with field r and stride s gives r + (k - 1) s and
s t; whatever works pixel by pixel changes neither. Of several paths the largest counts, as if their windows had one
centre.
Padding is not looked at: a field can be larger than the picture.
"""

from dataclasses import dataclass

from keras import layers

from zoo.layers import (
    CeilAveragePooling2D,
    CeilMaxPooling2D,
    Highway,
    LocalResponseNormalization,
    Maxout,
    ScaledAdd,
    SparseConv2D,
    TrainableSubsampling,
)

FULL_IMAGE = "all"


@dataclass(frozen=True)
class ReceptiveField:
    """Pixels along each side of the grid, rows first."""

    size: tuple | str | None  # ALL: the whole picture; None: not known
    stride: tuple | None  # None: not known, or there is no grid


FULL_IMAGE_FIELD, UNKNOWN_FIELD = ReceptiveField(FULL_IMAGE, None), ReceptiveField(None, None)


def compute_receptive_fields(calls):
    """Return {call: ReceptiveField} for the calls of `graph.calls`.

    ALL for what has no grid, such as dense layers and the pyramid, and for what reads it. UNKNOWN for layers that are
    not known here, among them models within models and those that enlarge the grid, and for grids that read them.
    """
    seen = {}
    for node, call in calls.items():
        seen[node] = _compute_receptive_field(call, [seen[source] for source in call.input_calls])
    return seen


def _compute_receptive_field(call, sources):
    if len(call.shape) < 2 or isinstance(call.layer, GLOBAL_POOLING_LAYERS):
        return FULL_IMAGE_FIELD
    if not sources:
        return ReceptiveField((1,) * (len(call.shape) - 1), (1,) * (len(call.shape) - 1))
    windows = _find_windows(call)
    if windows is None:
        return UNKNOWN_FIELD
    before = _merge_sources(sources)
    field, stride = before.size, before.stride
    if windows and stride:
        if isinstance(field, tuple):
            field = tuple(side + (kernel - 1) * apart
                          for side, (kernel, _), apart in zip(field, windows, stride, strict=True))
        stride = tuple(apart * step for (_, step), apart in zip(windows, stride, strict=True))
    return ReceptiveField(field, stride)


def _merge_sources(sources):
    """Return what a layer sees that reads all of them."""
    fields, strides = ({getattr(each, name) for each in sources} for name in ("size", "stride"))
    strides.discard(None)
    stride = _take_maximum(strides) if strides else None
    if None in fields or (FULL_IMAGE not in fields and stride is None):
        return UNKNOWN_FIELD
    return ReceptiveField(FULL_IMAGE if FULL_IMAGE in fields else _take_maximum(fields), stride)


def _take_maximum(sizes):
    return tuple(map(max, zip(*sizes, strict=True)))


def _find_windows(call):
    """Return (kernel, step) for each side of the grid; () for what works pixel by pixel; None if it is not known."""
    if call.layer is None:
        return () if call.class_name in PIXELWISE_OPERATIONS else None
    return next((find(call) for kind, find in WINDOW_FINDERS.items() if isinstance(call.layer, kind)), None)


def _find_convolution_windows(call):
    layer = call.layer
    return [((kernel - 1) * holes + 1, step)
            for kernel, step, holes in zip(layer.kernel_size, layer.strides, layer.dilation_rate, strict=True)]


def _find_pooling_windows(call):
    return [*zip(call.layer.pool_size, call.layer.strides, strict=True)]


def _find_ceil_pooling_windows(call):
    layer = call.layer
    return [(min(layer.pool_size, side), layer.strides)
            for side in call.input_shapes[0][:2]]  # it shrinks to a small grid


CONVOLUTION_LAYERS = (layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.DepthwiseConv1D, layers.DepthwiseConv2D,
                      layers.SeparableConv1D, layers.SeparableConv2D)
POOLING_LAYERS = (layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D,
                  layers.AveragePooling1D, layers.AveragePooling2D, layers.AveragePooling3D)
GLOBAL_POOLING_LAYERS = (layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D, layers.GlobalAveragePooling3D,
                         layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D, layers.GlobalMaxPooling3D)
PIXELWISE_LAYERS = (
    layers.Activation, layers.ReLU, layers.LeakyReLU, layers.PReLU, layers.ELU, layers.Softmax, layers.Identity,
    layers.BatchNormalization, layers.Normalization, layers.Rescaling, layers.Dropout, layers.SpatialDropout2D,
    layers.GaussianNoise, layers.GaussianDropout, layers.Dense, layers.ZeroPadding1D, layers.ZeroPadding2D,
    layers.Cropping1D, layers.Cropping2D, layers.Add, layers.Subtract, layers.Multiply, layers.Average, layers.Maximum,
    layers.Minimum, layers.Concatenate, LocalResponseNormalization, Maxout, Highway, ScaledAdd)
PIXELWISE_OPERATIONS = {"Relu", "Sigmoid", "Tanh", "Silu", "Gelu", "Add", "Subtract", "Multiply", "TrueDivide",
                        "Divide", "Maximum", "Minimum", "Negative", "Absolute", "Square", "Sqrt", "Exp", "Log",
                        "Concatenate"}
WINDOW_FINDERS = {  # classes: what finds the windows
    CONVOLUTION_LAYERS: _find_convolution_windows,
    POOLING_LAYERS: _find_pooling_windows,
    (CeilMaxPooling2D, CeilAveragePooling2D): _find_ceil_pooling_windows,
    TrainableSubsampling: lambda call: [(call.layer.pool_size, call.layer.pool_size)] * 2,
    SparseConv2D: lambda call: [(call.layer.kernel_size, 1)] * 2,
    PIXELWISE_LAYERS: lambda call: (),
}
