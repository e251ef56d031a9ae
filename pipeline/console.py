"""What the stages tell the person at the terminal; standard output is left to data."""

from __future__ import annotations

import os
import sys
from typing import Any, Self

_BAR_WITHOUT_COUNTS = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}, {remaining} left{postfix}"


class NoBar:
    """Takes what a ``tqdm`` bar takes and draws nothing, without the time that importing ``tqdm`` takes."""

    disable = True
    n = 0

    def __enter__(self) -> Self:
        """Draw nothing."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove nothing."""

    def update(self, count: float = 1) -> None:
        """Draw nothing."""

    def set_postfix_str(self, text: str, refresh: bool = True) -> None:
        """Draw nothing."""


def counted(number: int, thing: str = "review") -> str:
    """Return a number of things in words: "1 review", "25,000 reviews"."""
    return f"{number:,} {thing}{'s' * (number != 1)}"


def print_message(message: str) -> None:
    """Write one line to standard error; nothing where that is closed, for ``print`` would write among the data."""
    if sys.stderr is not None:
        print(message, file=sys.stderr, flush=True)


def has_terminal() -> bool:
    """Return whether standard error is a terminal that something can be drawn on; some say that they have no size."""
    if sys.stderr is None or not sys.stderr.isatty():
        return False
    try:
        return 0 not in os.get_terminal_size(sys.stderr.fileno())
    except (OSError, ValueError):
        return True


class Console:
    """Messages and progress bars on standard error.

    ``quiet`` drops both. Progress bars are drawn on a terminal only, so that a log holds no control characters.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet

    def say(self, message: str) -> None:
        """Write one line to standard error, unless quiet."""
        if not self.quiet:
            print_message(message)

    def progress(
        self, total: int | None, description: str, unit: str = "reviews", *, has_counts: bool = True, initial: int = 0
    ) -> Any:
        """Return a bar, drawn or not: a context manager with ``update``, ``set_postfix_str``, ``n`` and ``disable``.

        It is drawn anew at most ten times a second, however far an update goes.

        Args:
            total: units to the end; None where that is not known.
            description: stands before the bar.
            unit: what is counted.
            has_counts: show how many units are done; else only the share, the time left and the postfix.
            initial: units that were done before; the time left is not reckoned by them.
        """
        if self.quiet or not has_terminal():
            return NoBar()
        from tqdm import tqdm

        shape = None
        if not has_counts:
            shape = "{desc}: {elapsed}{postfix}" if total is None else _BAR_WITHOUT_COUNTS
        return tqdm(
            total=total,
            desc=description,
            unit=f" {unit}",
            file=sys.stderr,
            leave=False,
            bar_format=shape,
            initial=initial,
            miniters=1,  # else one large update makes tqdm wait for as large ones
        )
