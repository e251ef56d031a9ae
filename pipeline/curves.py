"""The picture of a training run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from pipeline.plots import LIGHT, Theme, add_legend_above, new_axes


def training_curves(history: Sequence[Mapping[str, float]], best_epoch: int, theme: Theme = LIGHT) -> Figure:
    """Draw validation accuracy and both losses over the epochs.

    Args:
        history: one entry for each epoch, as in ``training.csv``.
        best_epoch: the epoch whose weights were kept.
        theme: colours.
    """
    epochs = [line["epoch"] for line in history]
    figure, axes = new_axes(theme, "Epoch", "Loss (nats)")
    axes.plot(epochs, [line["training_loss"] for line in history], "o-", color=theme.other, label="training loss")
    axes.plot(
        epochs, [line["validation_log_loss"] for line in history], "o-", color=theme.negative, label="validation loss"
    )
    axes.axvline(best_epoch, color=theme.other, linewidth=1, linestyle=":", label=f"kept: epoch {best_epoch}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(bottom=0)
    accuracy_axes = axes.twinx()
    accuracy_axes.plot(epochs, [line["validation_accuracy"] for line in history], "s-", color=theme.model)
    accuracy_axes.set_ylabel("Validation accuracy", color=theme.model)
    accuracy_axes.tick_params(colors=theme.model, length=3, width=0.8)
    accuracy_axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))
    for spine in accuracy_axes.spines.values():
        spine.set_visible(False)
    add_legend_above(figure, theme)
    return figure
