"""The plot of a learning rate range test: the loss over the learning rate, and the suggestion."""

import math

import numpy as np
from matplotlib.ticker import NullLocator

from zoo.plots import figures, text_layout

PANEL_WIDTH, PANEL_HEIGHT, LEFT_MARGIN = 420, 230, 52  # the panel and the room for tick labels to its left, points
MAX_LOSS_RATIO = 1.5  # multiple of the initial loss: higher values, of a diverging loss, are cut off


def plot_lr_curve(learning_rates, losses, smoothed_losses, suggestion, *, title, subtitle=""):
    """Return the Figure of losses over learning rates, float (n,) each; `suggestion`: the one to mark, or None."""
    width = LEFT_MARGIN + PANEL_WIDTH + 2 * figures.MARGIN
    headline = figures.layout_headline(title, subtitle, width - 2 * figures.MARGIN)
    top = figures.MARGIN + headline.height + 8
    figure = figures.create_figure(width, top + PANEL_HEIGHT + 56)
    figures.add_headline(figures.add_full_axes(figure), headline)
    axes = figures.add_axes(figure, LEFT_MARGIN, top, PANEL_WIDTH, PANEL_HEIGHT)
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    finite_losses = np.asarray([loss for loss in smoothed_losses if math.isfinite(loss)] or [1.0])
    span = max(MAX_LOSS_RATIO * finite_losses[0] - finite_losses.min(), 1e-3)
    axes.set_ylim(finite_losses.min() - 0.15 * span, finite_losses.min() + 1.05 * span)
    axes.plot(learning_rates, losses, color="#B8C2CC", linewidth=1)
    axes.plot(learning_rates, smoothed_losses, color=figures.BLUE, linewidth=1.8)
    if suggestion is not None:
        suggested_loss = float(np.interp(math.log(suggestion), np.log(learning_rates), smoothed_losses))
        axes.axvline(suggestion, color=figures.VERMILLION, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)
        axes.plot([suggestion], [suggested_loss], "o", markersize=8, markerfacecolor="none",
                  markeredgecolor=figures.VERMILLION, markeredgewidth=1.5, zorder=4)
        axes.annotate(f"{suggestion:g}", (suggestion, axes.get_ylim()[1]), (5, -9), textcoords="offset points", size=9,
                      color=figures.VERMILLION, family=text_layout.FONT)
    axes.grid(axis="y", color="#EEEEEE", linewidth=0.8)
    figures.frame_axes(axes)
    axes.set_xlabel("learning rate", size=9, color=figures.MUTED_COLOR, family=text_layout.FONT)
    axes.set_ylabel("training loss", size=9, color=figures.MUTED_COLOR, family=text_layout.FONT)
    return figure
