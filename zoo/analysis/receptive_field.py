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

ALL = "all"


@dataclass(frozen=True)
class Sight:
    """Pixels along each side of the grid, rows first."""

    field: tuple | str | None  # ALL: the whole picture; None: not known
    stride: tuple | None  # None: not known, or there is no grid


WHOLE, UNKNOWN = Sight(ALL, None), Sight(None, None)


def of(calls):
    """Return {call: Sight} for the calls of `graph.calls`.

    ALL for what has no grid, such as dense layers and the pyramid, and for what reads it. UNKNOWN for layers that are
    not known here, among them models within models and those that enlarge the grid, and for grids that read them.
    """
    seen = {}
    for node, call in calls.items():
        seen[node] = _sight(call, [seen[source] for source in call.read])
    return seen


def _sight(call, sources):
    if len(call.shape) < 2 or isinstance(call.layer, OVER_ALL):
        return WHOLE
    if not sources:
        return Sight((1,) * (len(call.shape) - 1), (1,) * (len(call.shape) - 1))
    windows = _windows(call)
    if windows is None:
        return UNKNOWN
    before = _joined(sources)
    field, stride = before.field, before.stride
    if windows and stride:
        if isinstance(field, tuple):
            field = tuple(side + (kernel - 1) * apart
                          for side, (kernel, _), apart in zip(field, windows, stride, strict=True))
        stride = tuple(apart * step for (_, step), apart in zip(windows, stride, strict=True))
    return Sight(field, stride)


def _joined(sources):
    """Return what a layer sees that reads all of them."""
    fields, strides = ({getattr(each, name) for each in sources} for name in ("field", "stride"))
    strides.discard(None)
    stride = _largest(strides) if strides else None
    if None in fields or (ALL not in fields and stride is None):
        return UNKNOWN
    return Sight(ALL if ALL in fields else _largest(fields), stride)


def _largest(sides):
    return tuple(map(max, zip(*sides, strict=True)))


def _windows(call):
    """Return (kernel, step) for each side of the grid; () for what works pixel by pixel; None if it is not known."""
    if call.layer is None:
        return () if call.kind in PIXELWISE_OPERATIONS else None
    return next((find(call) for kind, find in WINDOWS.items() if isinstance(call.layer, kind)), None)


def _convolution(call):
    layer = call.layer
    return [((kernel - 1) * holes + 1, step)
            for kernel, step, holes in zip(layer.kernel_size, layer.strides, layer.dilation_rate, strict=True)]


def _pool(call):
    return [*zip(call.layer.pool_size, call.layer.strides, strict=True)]


def _ceil_pool(call):
    layer = call.layer
    return [(min(layer.pool_size, side), layer.strides) for side in call.inputs[0][:2]]  # it shrinks to a small grid


CONVOLUTIONS = (layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.DepthwiseConv1D, layers.DepthwiseConv2D,
                layers.SeparableConv1D, layers.SeparableConv2D)
POOLS = (layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D,
         layers.AveragePooling1D, layers.AveragePooling2D, layers.AveragePooling3D)
OVER_ALL = (layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D, layers.GlobalAveragePooling3D,
            layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D, layers.GlobalMaxPooling3D)
PIXELWISE = (
    layers.Activation, layers.ReLU, layers.LeakyReLU, layers.PReLU, layers.ELU, layers.Softmax, layers.Identity,
    layers.BatchNormalization, layers.Normalization, layers.Rescaling, layers.Dropout, layers.SpatialDropout2D,
    layers.GaussianNoise, layers.GaussianDropout, layers.Dense, layers.ZeroPadding1D, layers.ZeroPadding2D,
    layers.Cropping1D, layers.Cropping2D, layers.Add, layers.Subtract, layers.Multiply, layers.Average, layers.Maximum,
    layers.Minimum, layers.Concatenate, LocalResponseNormalization, Maxout, Highway, ScaledAdd)
PIXELWISE_OPERATIONS = {"Relu", "Sigmoid", "Tanh", "Silu", "Gelu", "Add", "Subtract", "Multiply", "TrueDivide",
                        "Divide", "Maximum", "Minimum", "Negative", "Absolute", "Square", "Sqrt", "Exp", "Log",
                        "Concatenate"}
WINDOWS = {  # classes: what finds the windows
    CONVOLUTIONS: _convolution,
    POOLS: _pool,
    (CeilMaxPooling2D, CeilAveragePooling2D): _ceil_pool,
    TrainableSubsampling: lambda call: [(call.layer.pool_size, call.layer.pool_size)] * 2,
    SparseConv2D: lambda call: [(call.layer.kernel_size, 1)] * 2,
    PIXELWISE: lambda call: (),
}
