"""The receptive field and the output stride of each layer, by arithmetic on the graph.

The receptive field of an output is the window of the image that it depends on, or of the tokens of a text; the windows
of neighboring outputs are one output stride apart. A convolution or pooling with kernel k and stride t, on a tensor
with receptive field r and output stride s, gives r + (k - 1) s and s t; pixelwise operations change neither. Of several
paths the largest counts, as if their windows had the same center. Padding is ignored, so a receptive field can be
larger than the image.
"""

from dataclasses import dataclass

from keras import layers

from zoo.layers import (
    CeilAveragePooling2D,
    CeilMaxPooling2D,
    ChannelPadding,
    Highway,
    LocalResponseNormalization,
    Maxout,
    PixelScaling,
    ScaledAdd,
    SparseConv2D,
    TrainableSubsampling,
)

FULL_IMAGE = "all"


@dataclass(frozen=True)
class ReceptiveField:
    """Pixels along each spatial axis, rows first, or tokens."""

    size: tuple | str | None  # FULL_IMAGE: the entire image; None: unknown
    stride: tuple | None  # None: unknown, or not a feature map


FULL_IMAGE_FIELD, UNKNOWN_FIELD = ReceptiveField(FULL_IMAGE, None), ReceptiveField(None, None)


def compute_receptive_fields(calls):
    """Return {call: ReceptiveField} for the calls of `graph.get_layer_calls`.

    FULL_IMAGE_FIELD for outputs that are not feature maps, such as those of dense layers and the pyramid, and for what
    reads them. UNKNOWN_FIELD for unknown layers, among them nested models and upsampling, and for feature maps computed
    from their output.
    """
    fields = {}
    for key, call in calls.items():
        fields[key] = _compute_receptive_field(call, [fields[source] for source in call.input_calls])
    return fields


def _compute_receptive_field(call, sources):
    if len(call.shape) < 2 or isinstance(call.layer, GLOBAL_POOLING_LAYERS):
        return FULL_IMAGE_FIELD
    if not sources or isinstance(call.layer, layers.Embedding):  # a token is what a pixel is to an image
        return ReceptiveField((1,) * (len(call.shape) - 1), (1,) * (len(call.shape) - 1))
    windows = _find_windows(call)
    if windows is None:
        return UNKNOWN_FIELD
    merged = _merge_sources(sources)
    size, stride = merged.size, merged.stride
    if windows and stride:
        if isinstance(size, tuple):
            size = tuple(field_size + (kernel - 1) * step
                         for field_size, (kernel, _), step in zip(size, windows, stride, strict=True))
        stride = tuple(step * window_stride for (_, window_stride), step in zip(windows, stride, strict=True))
    return ReceptiveField(size, stride)


def _merge_sources(sources):
    """Return the receptive field of a layer that reads all of the sources."""
    sizes, strides = ({getattr(source, name) for source in sources} for name in ("size", "stride"))
    strides.discard(None)
    stride = _take_maximum(strides) if strides else None
    if None in sizes or (FULL_IMAGE not in sizes and stride is None):
        return UNKNOWN_FIELD
    return ReceptiveField(FULL_IMAGE if FULL_IMAGE in sizes else _take_maximum(sizes), stride)


def _take_maximum(sizes):
    return tuple(map(max, zip(*sizes, strict=True)))


def _find_windows(call):
    """Return (kernel size, stride) for each spatial axis; () for a pixelwise operation; None if unknown."""
    if call.layer is None:
        return () if call.class_name in PIXELWISE_OPERATIONS else None
    return next((find_windows(call) for layer_classes, find_windows in WINDOW_FINDERS.items()
                 if isinstance(call.layer, layer_classes)), None)


def _find_convolution_windows(call):
    layer = call.layer
    return [((kernel - 1) * dilation + 1, stride)
            for kernel, stride, dilation in zip(layer.kernel_size, layer.strides, layer.dilation_rate, strict=True)]


def _find_pooling_windows(call):
    return [*zip(call.layer.pool_size, call.layer.strides, strict=True)]


def _find_ceil_pooling_windows(call):
    layer = call.layer
    return [(min(layer.pool_size, size), layer.strides)
            for size in call.input_shapes[0][:2]]  # the window shrinks to a small feature map


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
    layers.Minimum, layers.Concatenate, LocalResponseNormalization, Maxout, Highway, ScaledAdd, ChannelPadding,
    PixelScaling)
PIXELWISE_OPERATIONS = {"Relu", "Sigmoid", "Tanh", "Silu", "Gelu", "Add", "Subtract", "Multiply", "TrueDivide",
                        "Divide", "Maximum", "Minimum", "Negative", "Absolute", "Square", "Sqrt", "Exp", "Log",
                        "Concatenate"}
WINDOW_FINDERS = {  # layer classes: the function that finds their windows
    CONVOLUTION_LAYERS: _find_convolution_windows,
    POOLING_LAYERS: _find_pooling_windows,
    (CeilMaxPooling2D, CeilAveragePooling2D): _find_ceil_pooling_windows,
    TrainableSubsampling: lambda call: [(call.layer.pool_size, call.layer.pool_size)] * 2,
    SparseConv2D: lambda call: [(call.layer.kernel_size, 1)] * 2,
    PIXELWISE_LAYERS: lambda call: (),
}
