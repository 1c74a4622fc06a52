"""What cross-references say in words, for notebooks, where no Sphinx resolves them."""

import posixpath
from functools import cache
from pathlib import Path

from pybtex.database import parse_file
from sphinx.environment import BuildEnvironment


def reference_words(env: BuildEnvironment, page: str) -> dict[str, str]:
    """Target → words, for all that `page` can refer to: "Figure 3", "(4)", a page's title, "Ho et al. (2020)"."""
    words = dict(_citations(Path(env.srcdir) / "references.bib"))
    for name, (document, label) in env.get_domain("std").data["anonlabels"].items():
        number = env.toc_fignumbers.get(document, {}).get("figure", {}).get(label)
        if number:
            words[name] = f"Figure {'.'.join(map(str, number))}"
    for name, (_, number) in env.get_domain("math").data["objects"].items():
        words[name] = f"({number})"
    for document, title in env.titles.items():
        for target in (f"/{document}", posixpath.relpath(document, posixpath.dirname(page) or ".")):
            words[target] = f"“{title.astext()}”"
    return words


@cache
def _citations(bibliography: Path) -> dict[str, str]:
    """Key → "Author and Author (year)"."""
    words = {}
    for key, entry in parse_file(str(bibliography)).entries.items():
        names = [" ".join(person.prelast_names + person.last_names) for person in entry.persons["author"]]
        authors = " and ".join(names) if len(names) < 3 else f"{names[0]} et al."
        words[key] = f"{authors} ({entry.fields['year']})".replace("and others", "et al.")
    return words
