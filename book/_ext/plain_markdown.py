"""MyST Markdown to the plain Markdown that Colab and JupyterLab show without an extension."""

import re
from collections.abc import Mapping

ROLE = re.compile(r"\{(?P<name>[\w:+-]+)\}`(?P<text>[^`]+)`")
FENCE = re.compile(r"(?P<mark>`{3,}|:{3,})\{(?P<name>[\w:-]+)\}\s*(?P<title>.*)")
OPTION = re.compile(r"\s*:[\w-]+:.*")
MATH_LABEL = re.compile(r"^\$\$\s*\((?P<label>[\w:-]+)\)\s*$", re.MULTILINE)
TARGET = re.compile(r"^\([\w:-]+\)=\s*\n", re.MULTILINE)


def plain_markdown(source: str, words: Mapping[str, str] | None = None) -> str:
    """Rewrites roles as text, admonitions as quotations, labels of equations as their numbers; the rest stays as it is.

    Args:
        source: a cell's MyST Markdown.
        words: target of a reference → what to say for it; a target that is missing is shown as it is written.
    """
    words = words or {}
    source = MATH_LABEL.sub(lambda match: _tag(words.get(match["label"], "")), TARGET.sub("", source))
    lines: list[str] = []
    pending = source.split("\n")
    while pending:
        opening = FENCE.fullmatch(pending[0].strip())
        closing = _closing(pending, opening["mark"]) if opening else None
        if opening is None or closing is None:
            lines.append(pending.pop(0))
            continue
        options = [line for line in pending[1:closing] if OPTION.fullmatch(line)]
        body = "\n".join(line for line in pending[1:closing] if line not in options).strip("\n")
        lines += _directive(opening["name"], opening["title"], plain_markdown(body, words))
        pending = pending[closing + 1 :]
    return ROLE.sub(lambda match: _role(match, words), "\n".join(lines))


def _closing(lines: list[str], mark: str) -> int | None:
    """Index of the line that closes the fence opened by lines[0]."""
    return next((index for index, line in enumerate(lines) if index and line.strip() == mark), None)


def _tag(number: str) -> str:
    """The end of a displayed equation, with its number where it has one."""
    return rf"\tag{{{number.strip('()')}}}" + "\n$$" if number else "$$"


def _directive(name: str, title: str, body: str) -> list[str]:
    if name == "math":
        return ["$$", body, "$$"]
    if name in ("rst-class", "div", "container", "figure", "image"):
        return body.split("\n")
    heading = title or name.rpartition(":")[2].replace("-", " ").capitalize()
    return [f"> **{heading}**", ">", *(f"> {line}".rstrip() for line in body.split("\n"))]


def _role(match: re.Match[str], words: Mapping[str, str]) -> str:
    """The reader's words of a reference: its title where it has one, else those for its target."""
    text = match["text"]
    if match["name"] == "math":
        return f"${text}$"
    titled = re.fullmatch(r"(.+?)\s*<([^>]*)>", text, re.DOTALL)
    if titled:
        return titled[1].replace("%s", words.get(titled[2], "").removeprefix("Figure "))
    said = [words.get(target.strip(), target.strip()) for target in text.lstrip("~!").split(",")]
    if match["name"] in ("cite", "cite:p"):  # in brackets, as in the book: (Ho et al., 2020; …)
        return "(" + "; ".join(re.sub(r" \((\d+)\)$", r", \1", one) for one in said) + ")"
    return ", ".join(said)
