"""Chromium, and pages that write down whatever they say, ask for or refuse."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`refused by the content security policy: ${event.violatedDirective} ${event.blockedURI}`);
});
"""


def executable_path(playwright: Playwright) -> str | None:
    """Return where Chromium lies: what ``SENTIMENT_CHROMIUM`` names, else on the path, else Playwright's own."""
    named = os.environ.get("SENTIMENT_CHROMIUM")
    candidates = [named] if named else [*map(shutil.which, NAMES), playwright.chromium.executable_path]
    return next((path for path in candidates if path and Path(path).is_file()), None)


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """Start Chromium; skip the test with the reason where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs the extra `browser`", exc_type=ImportError)
    with sync_api.sync_playwright() as playwright:
        path = executable_path(playwright)
        if path is None:
            pytest.skip("needs Chromium from the system, in SENTIMENT_CHROMIUM, or by `playwright install chromium`")
        # Chromium has no sandbox for root; the pages are our own.
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"] if root else [])
        yield browser
        browser.close()


@dataclass
class Watch:
    """What a page did that it must not do, in words, in order."""

    address: str
    troubles: list[str] = field(default_factory=list)

    def follow(self, page: Page) -> None:
        """Write down messages, errors, dialogs, further windows and requests of a page from now on."""
        page.on("console", lambda message: self.troubles.append(f"console {message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        page.on("request", lambda request: self.note_request(request.url))
        page.on("popup", lambda popup: self.troubles.append(f"opened {popup.url}"))
        page.on("dialog", self.dismiss)

    def note_request(self, address: str) -> None:
        """Write down a request for anything but the page itself and what stands inside it."""
        if address.partition("#")[0] != self.address and not address.startswith("data:"):
            self.troubles.append(f"asked for {address}")

    def dismiss(self, dialog: Any) -> None:
        """Write down a dialog and close it."""
        self.troubles.append(f"dialog: {dialog.message}")
        dialog.dismiss()


class Pages:
    """Opens files in Chromium, offline, and keeps watch over them until the test ends.

    Args:
        browser: the running Chromium.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._watches: list[Watch] = []
        self._contexts: list[Any] = []

    def open(
        self,
        path: Path,
        *,
        width: int = 1280,
        height: int = 900,
        scheme: str = "light",
        javascript: bool = True,
        fragment: str = "",
        **options: Any,
    ) -> Page:
        """Return a file as a page.

        Args:
            path: of the file.
            width: of the window, in CSS pixels.
            height: of the window, in CSS pixels.
            scheme: the reader's colour scheme, light or dark.
            javascript: whether the reader allows scripts.
            fragment: what the address ends in after #, if anything.
            options: further ones of Playwright's ``new_context``.
        """
        context = self._browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,  # type: ignore[arg-type]
            java_script_enabled=javascript,
            offline=True,
            **options,
        )
        self._contexts.append(context)
        context.set_default_timeout(10_000)
        if javascript:
            context.add_init_script(REPORT_VIOLATIONS)
        page = context.new_page()
        watch = Watch(path.as_uri())
        self._watches.append(watch)
        watch.follow(page)
        page.goto(path.as_uri() + (f"#{fragment}" if fragment else ""))
        return page

    def close(self) -> list[str]:
        """Close all pages; return what they did that they must not do."""
        troubles = [trouble for watch in self._watches for trouble in watch.troubles]
        for context in self._contexts:
            context.close()
        self._contexts, self._watches = [], []
        return troubles
