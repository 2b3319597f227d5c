"""The learning rate range test as a figure: the loss over the learning rate, and the suggestion."""

import math

import numpy as np
from matplotlib.ticker import NullLocator

from zoo.plots import figures as sheet, text_layout

PANEL_WIDTH, PANEL_HEIGHT, LEFT_MARGIN = 420, 230, 52  # of the panel and the room for the numbers at its left, points
MAX_LOSS_RATIO = 1.5  # times the loss at the start: what is higher, when the loss explodes, is cut off


def plot_lr_curve(learning_rates, losses, smoothed_losses, suggestion, *, title, subtitle=""):
    """Return the Figure of losses, float (n,) each, over learning rates; suggestion: a rate to mark, or None."""
    width = LEFT_MARGIN + PANEL_WIDTH + 2 * sheet.MARGIN
    head = sheet.layout_headline(title, subtitle, width - 2 * sheet.MARGIN)
    top = sheet.MARGIN + head.height + 8
    figure = sheet.create_figure(width, top + PANEL_HEIGHT + 56)
    sheet.add_headline(sheet.add_full_axes(figure), head)
    axes = sheet.add_axes(figure, LEFT_MARGIN, top, PANEL_WIDTH, PANEL_HEIGHT)
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    finite = np.asarray([loss for loss in smoothed_losses if math.isfinite(loss)] or [1.0])
    span = max(MAX_LOSS_RATIO * finite[0] - finite.min(), 1e-3)
    axes.set_ylim(finite.min() - 0.15 * span, finite.min() + 1.05 * span)
    axes.plot(learning_rates, losses, color="#B8C2CC", linewidth=1)
    axes.plot(learning_rates, smoothed_losses, color=sheet.BLUE, linewidth=1.8)
    if suggestion is not None:
        height = float(np.interp(math.log(suggestion), np.log(learning_rates), smoothed_losses))
        axes.axvline(suggestion, color=sheet.VERMILLION, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)
        axes.plot([suggestion], [height], "o", markersize=8, markerfacecolor="none",
                  markeredgecolor=sheet.VERMILLION, markeredgewidth=1.5, zorder=4)
        axes.annotate(f"{suggestion:g}", (suggestion, axes.get_ylim()[1]), (5, -9), textcoords="offset points", size=9,
                      color=sheet.VERMILLION, family=text_layout.FONT)
    axes.grid(axis="y", color="#EEEEEE", linewidth=0.8)
    sheet.frame_axes(axes)
    axes.set_xlabel("learning rate", size=9, color=sheet.MUTED_COLOR, family=text_layout.FONT)
    axes.set_ylabel("training loss", size=9, color=sheet.MUTED_COLOR, family=text_layout.FONT)
    return figure
