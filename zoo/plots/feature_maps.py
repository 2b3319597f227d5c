"""The feature maps of a layer for one image: which of them are dead or constant, and their images."""

from dataclasses import dataclass

import numpy as np
from keras import ops

from zoo.plots import colormaps
from zoo.utils.text import pluralize

MAX_TILE_SIZE = 150  # pixels: larger feature maps are downsampled
CONSTANT_TOLERANCE = 1e-6  # fraction of its largest magnitude: a feature map that varies by less is constant
DEAD_COLOR, CONSTANT_COLOR = np.uint8((222, 222, 222)), np.uint8((190, 200, 210))  # for maps with nothing to show


@dataclass(frozen=True)
class FeatureMaps:
    """Feature maps (rows, columns, channels), or units (1, 1, units) of a layer without spatial axes."""

    name: str
    description: str  # of the layer
    values: np.ndarray
    dead: np.ndarray  # (channels,) bool: zero everywhere for this image
    constant: np.ndarray  # (channels,) bool: constant for this image, and not zero
    num_nonfinite: int  # number of values that are not finite

    @property
    def is_spatial(self):
        return self.values.shape[0] * self.values.shape[1] > 1

    @property
    def num_maps(self):
        return self.values.shape[2]

    @property
    def summary(self):
        """A summary of the output, such as '14x14, 512 feature maps: 31 dead, 2 constant'."""
        rows, columns, count = self.values.shape
        size = f"{rows}x{columns}, {pluralize(count, 'feature map')}" if self.is_spatial else f"{count:,} units"
        dead, constant = int(self.dead.sum()), int(self.constant.sum())
        notes = [f"{dead:,} {'dead' if self.is_spatial else 'zero'}"] if dead or self.is_spatial else []
        notes += [f"{constant:,} constant"] if self.is_spatial else []
        notes += [f"{self.num_nonfinite:,} values not finite"] if self.num_nonfinite else []
        return f"{size}: {', '.join(notes)}" if notes else size

    def get_status(self, index):
        """Return the status of a feature map: 'dead', 'constant' or ''."""
        return "dead" if self.dead[index] else "constant" if self.constant[index] and self.is_spatial else ""


def analyze_output(name, description, output):
    """Return the FeatureMaps of a layer's output (1, ...) for one image."""
    values = output[0] if output.ndim == 4 else output.reshape(1, 1, -1)
    finite = np.isfinite(values)
    low, high = values.min(axis=(0, 1)), values.max(axis=(0, 1))
    max_magnitude = np.maximum(np.abs(low), np.abs(high))
    dead = max_magnitude == 0
    constant = finite.all(axis=(0, 1)) & ~dead & (high - low <= CONSTANT_TOLERANCE * max_magnitude)
    return FeatureMaps(name, description, values, dead, constant, int((~finite).sum()))


def draw_map_tiles(maps, num_maps):
    """Return the first `num_maps` maps as min-max scaled images uint8 (num_maps, rows, columns, 3).

    Those larger than MAX_TILE_SIZE are downsampled. Dead and constant maps are DEAD_COLOR and CONSTANT_COLOR, grays.
    """
    rows, columns = maps.values.shape[:2]
    scale = min(1, MAX_TILE_SIZE / max(rows, columns))
    shape = max(1, round(rows * scale)), max(1, round(columns * scale))
    tiles = []
    for index in range(min(num_maps, maps.num_maps)):
        if maps.get_status(index):
            tile = np.broadcast_to(DEAD_COLOR if maps.dead[index] else CONSTANT_COLOR, (*shape, 3))
        else:
            fractions = colormaps.normalize_values(maps.values[..., index])
            tile = colormaps.apply_colormap(fractions if scale == 1 else colormaps.resize_bilinear(fractions, shape))
        tiles.append(tile)
    return np.stack(tiles)


def draw_vector_strip(maps):
    """Return the units of a layer without spatial axes as a min-max scaled image uint8 (1, units, 3)."""
    return colormaps.apply_colormap(colormaps.normalize_values(maps.values[0, 0]))[None]


def compute_hypercolumn(layer_maps, shape):
    """Return (mean map of each layer, mean of all maps) upsampled to `shape`: float32 (height, width) in 0..1.

    The hypercolumn of a pixel consists of the values of all feature maps, upsampled to the image, at this pixel:
    Hariharan, Arbelaez, Girshick and Malik 2014, arXiv:1411.5752. Each map is min-max scaled; dead ones are 0.
    """
    means = []
    for maps in layer_maps:
        values = np.nan_to_num(maps.values, posinf=0, neginf=0)
        low, high = values.min(axis=(0, 1)), values.max(axis=(0, 1))
        scaled = (values - low) / np.where(high > low, high - low, 1)
        means.append(colormaps.resize_bilinear(scaled.mean(axis=-1), shape))
    counts = [maps.num_maps for maps in layer_maps]
    return means, np.average(np.stack(means), axis=0, weights=counts).astype(np.float32)


def get_first_filters(model):
    """Return (layer name, kernels float32 (filters, rows, columns, 1 or 3)) of the first layer with a kernel.

    None if this layer's input does not have 1 (grayscale) or 3 (RGB) channels.
    """
    for layer in model.layers:
        for name in ("kernel", "depthwise_kernel"):
            kernel = getattr(layer, name, None)
            if kernel is None:
                continue
            kernel = ops.convert_to_numpy(ops.cast(kernel, "float32"))
            if kernel.ndim != 4 or kernel.shape[2] not in (1, 3):
                return None
            if name == "depthwise_kernel":  # (rows, columns, channels, multiplier): each filter reads one channel
                kernel = kernel.reshape(*kernel.shape[:2], 1, -1)
            return layer.name, kernel.transpose(3, 0, 1, 2)
    return None


def draw_filter_tiles(kernels):
    """Return kernels as images uint8 (filters, rows, columns, 3) on a common scale, where 0 is gray."""
    max_magnitude = max(np.abs(kernels).max(), np.finfo("float32").tiny)
    images = np.uint8(np.rint(127.5 + 127.5 * kernels / max_magnitude))
    return np.broadcast_to(images, (*images.shape[:3], 3))
