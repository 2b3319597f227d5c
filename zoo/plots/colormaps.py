"""Numbers as colours: uint8 pictures of arrays, enlarged and laid over one another."""

import matplotlib
import numpy as np
from PIL import Image

MIN_OVERLAY_SIZE = 224  # pixels: the longer side of a picture that something is laid over


def normalize_values(values):
    """Return values scaled to 0..1 from their least to their greatest; 0 where these are the same or not finite."""
    values = np.nan_to_num(np.float64(values), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.zeros_like(values)


def apply_colormap(fractions, colormap="viridis"):
    """Return shares of 0..1 (...) as colours uint8 (..., 3) of one of matplotlib's scales."""
    return matplotlib.colormaps[colormap](np.asarray(fractions), bytes=True)[..., :3]


def upsample_to_rgb(pixels):
    """Return a picture uint8 (height, width, 1 or 3) in colour, enlarged a whole number of times to LEAST or so."""
    times = max(1, round(MIN_OVERLAY_SIZE / max(pixels.shape[:2])))
    return np.repeat(np.repeat(np.broadcast_to(pixels, (*pixels.shape[:2], 3)), times, axis=0), times, axis=1)


def resize_bilinear(values, shape):
    """Return values (rows, columns) float32 brought to `shape` (height, width) with straight lines in between."""
    picture = Image.fromarray(np.asarray(values, np.float32))
    return np.asarray(picture.resize((shape[1], shape[0]), Image.Resampling.BILINEAR))


def colorize_heatmap(values, shape):
    """Return values of 0 and more as RGBA uint8 of `shape`: where there is little the picture beneath shows."""
    values = resize_bilinear(values, shape)
    shares = np.clip(values / max(values.max(), np.finfo("float32").tiny), 0, 1)
    return np.dstack([apply_colormap(shares, "inferno"), np.uint8(230 * np.sqrt(shares))])


def colorize_diverging(values, shape):
    """Return values as RGBA uint8 of `shape`: those above 0 orange, those below blue, those at 0 nothing."""
    values = resize_bilinear(values, shape)
    shares = values / max(np.abs(values).max(), np.finfo("float32").tiny)
    colours = np.where(shares[..., None] > 0, (213, 94, 0), (0, 114, 178))
    return np.uint8(np.dstack([colours, 230 * np.abs(shares)]))


def colorize_saliency(values, shape):
    """Return values of 0 and more as RGBA uint8 of `shape`, opaque; the hundredth part that is largest is white."""
    top = np.quantile(values, 0.99) or values.max()
    shares = resize_bilinear(np.clip(values / top, 0, 1) if top > 0 else values * 0, shape)
    return np.dstack([apply_colormap(np.clip(shares, 0, 1), "inferno"), np.full(shape, 255, np.uint8)])


def blend_overlay(overlay, image):
    """Return `layer`, RGBA uint8, laid over `picture`, RGB uint8 of the same sides."""
    beneath = Image.fromarray(np.ascontiguousarray(image)).convert("RGBA")
    return np.asarray(Image.alpha_composite(beneath, Image.fromarray(overlay)).convert("RGB"))
