"""Fixtures for the built site: its folder, a server for it, and pages in the system's Chromium."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bookhouse import ROOT, Server, Watched
from inputs import LIBRARY, PAGES, fingerprint
from playwright.sync_api import Browser, sync_playwright
from stamp import STAMP

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="session")
def site() -> Path:
    """The folder of the built site; fails, saying what to do, unless it was built from the sources as they are now."""
    folder = ROOT / "book" / "_build" / "html"
    stamp = folder / STAMP
    if not stamp.exists():
        pytest.fail(f"the book is not built: {folder} is missing or incomplete; run `make book`", pytrace=False)
    if stamp.read_text().strip() != fingerprint(ROOT, (*PAGES, *LIBRARY)):
        pytest.fail("the book or the library has changed since the book was built; run `make book`", pytrace=False)
    return folder


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    """Address of a local server of the site, without a slash at its end."""
    with Server(site) as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium, without a window."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if not found:
        names = ", ".join(CHROMIUM_NAMES)
        pytest.fail(f"no Chromium found: install one ({names}), or set CHROMIUM to its path", pytrace=False)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Watched]]:
    """A function that opens an address in a fresh browser context; keyword arguments are Playwright's."""
    contexts = []

    def open_(address: str, **options: Any) -> Watched:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        watched = Watched(context.new_page())
        watched.page.goto(address, wait_until="networkidle")
        return watched

    yield open_
    for context in contexts:
        context.close()
