"""What the tests of the book share: where it lies, a server for its pages, and a page that is watched."""

import functools
import http.server
import re
import sys
import threading
from pathlib import Path
from typing import Any

import yaml
from playwright.sync_api import Page

ROOT = Path(__file__).parents[2]
HEADER = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  name: python3
  display_name: Python 3
---
"""
"""What makes a Markdown page a notebook."""
# The book's own Sphinx extensions are tested, and used, as Sphinx imports them.
sys.path.insert(0, str(ROOT / "book" / "_ext"))


def contents() -> list[str]:
    """All pages of the table of contents, the first one first."""
    toc = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text())
    return [toc["root"], *(chapter["file"] for part in toc["parts"] for chapter in part["chapters"])]


class _ManyAtOnce(http.server.ThreadingHTTPServer):
    request_queue_size = 128  # the default of 5 drops connections when a browser asks for a page's files all at once


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a test's output is no place for a log of requests."""


class Server:
    """Serves a folder on a free local port for the length of a `with`."""

    def __init__(self, folder: Path):
        handler = functools.partial(_QuietHandler, directory=str(folder))
        self.server = _ManyAtOnce(("127.0.0.1", 0), handler)

    def __enter__(self) -> str:
        """Address of the server, without a slash at its end."""
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}"

    def __exit__(self, *exception: object) -> None:
        self.server.shutdown()
        self.server.server_close()


class Watched:
    """A browser page, with every request it made and every error it reported."""

    def __init__(self, page: Page):
        self.page = page
        self.requests: list[str] = []
        self.errors: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("requestfailed", lambda request: self.errors.append(f"failed: {request.url}"))
        page.on(
            "response", lambda answer: self.errors.append(f"{answer.status}: {answer.url}") if not answer.ok else None
        )
        page.on("console", lambda line: self.errors.append(line.text) if line.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def requests_outside(self, address: str) -> list[str]:
        """Requests that left `address`; what a page carries within itself (data:, blob:) does not count."""
        inside = re.compile(rf"(data|blob):|{re.escape(address)}/")
        return [url for url in self.requests if not inside.match(url)]
