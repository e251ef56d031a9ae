"""What the stages tell the person at the terminal; standard output is left to data."""

from __future__ import annotations

import sys
from typing import Any


class Console:
    """Messages and progress bars on standard error.

    ``quiet`` drops both. Progress bars are drawn on a terminal only, so that a log holds no control characters.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet

    def say(self, message: str) -> None:
        """Write one line to standard error, unless quiet."""
        if not self.quiet:
            print(message, file=sys.stderr, flush=True)

    def progress(self, total: int | None, description: str, unit: str = "reviews") -> Any:
        """Return a ``tqdm`` bar (a context manager with ``update`` and ``set_postfix_str``)."""
        from tqdm import tqdm

        hidden = self.quiet or not sys.stderr.isatty()
        return tqdm(total=total, desc=description, unit=f" {unit}", disable=hidden, file=sys.stderr, leave=False)
