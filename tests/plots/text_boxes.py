"""The boxes of the texts of a scene, with which tests find texts that overlap."""

from zoo.plots.font_metrics import BASELINE_SHIFT, measure_text_width

ASCENT, DESCENT = 0.76, 0.236  # height of "d" above the baseline and depth of "g" below it, in font sizes


def measure_text_box(text):
    """Return the bounding box (left, top, right, bottom) of a scene.Text in points."""
    width = measure_text_width(text.text, text.size, text.bold)
    offset = {"start": 0.0, "middle": 0.5, "end": 1.0}[text.anchor] * width
    above, below = (ASCENT - BASELINE_SHIFT) * text.size, (DESCENT + BASELINE_SHIFT) * text.size
    if text.rotated:  # counterclockwise: above becomes left, and the text starts at the bottom
        return text.x - above, text.y + offset - width, text.x + below, text.y + offset
    return text.x - offset, text.y - above, text.x - offset + width, text.y + below
