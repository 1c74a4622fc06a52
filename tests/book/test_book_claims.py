"""The numbers on the page of claims are those that the chapters print."""

import re
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[2]
INTERVAL = re.compile(r"[+-]?\d+\.\d+ \[[+-]?\d+\.\d+, [+-]?\d+\.\d+\]")


def test_every_claim_quotes_what_its_chapter_printed(site):
    rows = [line for line in (ROOT / "book/claims.md").read_text().splitlines() if "{doc}`" in line and "| **" in line]
    assert rows
    for row in rows:
        (page,) = re.findall(r"\{doc\}`([^`]+)`", row)
        notebook = nbformat.read(site / "_sources" / f"{page}.ipynb", as_version=4)
        printed = "".join(
            output.text
            for cell in notebook.cells
            for output in cell.get("outputs", [])
            if output.output_type == "stream"
        )
        quoted = INTERVAL.findall(row)
        assert quoted, f"no measured interval in: {row}"
        assert all(interval in printed for interval in quoted), f"{page} did not print {quoted}"
