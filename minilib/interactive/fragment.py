"""The pieces every interactive fragment is put together from."""

import html
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ASSETS = Path(__file__).parent / "assets"


@cache
def asset(name: str) -> str:
    """The text of a style sheet or script that travels inside the fragment."""
    return (ASSETS / name).read_text(encoding="utf-8").strip()


def element(tag: str, *content: str, **attributes: str | int | bool) -> str:
    """An HTML element; attribute values are escaped, `content` must already be HTML.

    Python's names become HTML's: `class_` is class, `aria_label` is aria-label. True gives a bare attribute, False
    leaves it out.
    """
    opening = " ".join([tag, *_attributes(attributes)])
    return f"<{opening}>" if tag in ("img", "input") else f"<{opening}>{''.join(content)}</{tag}>"


def text(value: str) -> str:
    """Plain text as HTML; what stands between dollars is marked as mathematics for MathJax."""
    parts = html.escape(value, quote=False).split("$")
    if len(parts) % 2 == 0:  # an odd number of dollars: money, not mathematics
        return "$".join(parts)
    return "".join(rf'<span class="math">\({part}\)</span>' if i % 2 else part for i, part in enumerate(parts))


def _attributes(attributes: dict[str, str | int | bool]) -> Iterator[str]:
    for name, value in attributes.items():
        name = name.rstrip("_").replace("_", "-")
        if value is True:
            yield name
        elif value is not False:
            yield f'{name}="{html.escape(str(value))}"'
