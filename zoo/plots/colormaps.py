"""Color mapping: arrays as uint8 images, resized and overlaid."""

import matplotlib
import numpy as np
from PIL import Image

MIN_OVERLAY_SIZE = 224  # pixels: the approximate longer side of an image under an overlay


def normalize_values(values):
    """Return min-max scaled values in 0..1, non-finite ones taken as 0; all 0 if the minimum equals the maximum."""
    values = np.nan_to_num(np.float64(values), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.zeros_like(values)


def apply_colormap(fractions, colormap="viridis"):
    """Return fractions in 0..1 (...) as colors uint8 (..., 3) of a matplotlib colormap."""
    return matplotlib.colormaps[colormap](np.asarray(fractions), bytes=True)[..., :3]


def upsample_to_rgb(pixels):
    """Return an image uint8 (height, width, 1 or 3) as RGB, enlarged by an integer factor to about MIN_OVERLAY_SIZE."""
    factor = max(1, round(MIN_OVERLAY_SIZE / max(pixels.shape[:2])))
    return np.repeat(np.repeat(np.broadcast_to(pixels, (*pixels.shape[:2], 3)), factor, axis=0), factor, axis=1)


def resize_bilinear(values, shape):
    """Return values (rows, columns) float32 resized to `shape` (height, width) by bilinear interpolation."""
    image = Image.fromarray(np.asarray(values, np.float32))
    return np.asarray(image.resize((shape[1], shape[0]), Image.Resampling.BILINEAR))


def colorize_heatmap(values, shape):
    """Return non-negative values as RGBA uint8 of `shape`, the more transparent the smaller they are."""
    values = resize_bilinear(values, shape)
    fractions = np.clip(values / max(values.max(), np.finfo("float32").tiny), 0, 1)
    return np.dstack([apply_colormap(fractions, "inferno"), np.uint8(230 * np.sqrt(fractions))])


def colorize_diverging(values, shape):
    """Return values as RGBA uint8 of `shape`: orange above 0, blue below 0, transparent at 0."""
    values = resize_bilinear(values, shape)
    fractions = values / max(np.abs(values).max(), np.finfo("float32").tiny)
    colors = np.where(fractions[..., None] > 0, (213, 94, 0), (0, 114, 178))
    return np.uint8(np.dstack([colors, 230 * np.abs(fractions)]))


def colorize_saliency(values, shape):
    """Return non-negative values as opaque RGBA uint8 of `shape`, saturated (white) above the 99th percentile."""
    max_value = np.quantile(values, 0.99) or values.max()
    fractions = resize_bilinear(np.clip(values / max_value, 0, 1) if max_value > 0 else values * 0, shape)
    return np.dstack([apply_colormap(np.clip(fractions, 0, 1), "inferno"), np.full(shape, 255, np.uint8)])


def blend_overlay(overlay, image):
    """Return `overlay`, RGBA uint8, blended over `image`, RGB uint8 of the same size."""
    background = Image.fromarray(np.ascontiguousarray(image)).convert("RGBA")
    return np.asarray(Image.alpha_composite(background, Image.fromarray(overlay)).convert("RGB"))
