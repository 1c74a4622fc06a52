"""The built pages: complete, linked, described in words, typeset, and read without a network, in light and dark."""

from collections import defaultdict
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlparse

import nbformat
import pytest
from bookhouse import ROOT, contents

SCREENS = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


class Outline(HTMLParser):
    """What a page links to, which targets it has, and how its images are described."""

    def __init__(self, page: Path):
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.searches = 0
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.links += [value for name in ("href", "src") if (value := values.get(name))]
        if values.get("id"):
            self.ids.append(str(values["id"]))
        if tag == "img":
            self.images.append(values)
        if "search-button-field" in (values.get("class") or "").split():
            self.searches += 1


@pytest.fixture(scope="session")
def outlines(site):
    return {page: Outline(page) for page in sorted(site.rglob("*.html")) if "_static" not in page.parts}


def test_every_page_of_the_contents_is_built(site):
    assert [name for name in contents() if not (site / f"{name}.html").exists()] == []


def test_every_source_page_is_in_the_contents():
    sources = (ROOT / "book").rglob("*.md")
    pages = {path.relative_to(ROOT / "book") for path in sources}
    names = {page.with_suffix("").as_posix() for page in pages if page.parts[0][0] not in "._"}
    assert names == set(contents())


def test_internal_links_and_anchors_resolve(site, outlines):
    broken = []
    for page, outline in outlines.items():
        for link in outline.links:
            parts = urlparse(link)
            if parts.scheme or parts.netloc:
                continue
            path, anchor = urldefrag(link)
            target = (page.parent / unquote(urlparse(path).path)).resolve() if path else page
            target = target / "index.html" if target.is_dir() else target
            anchored = not anchor or target not in outlines or anchor in outlines[target].ids
            if not target.exists() or not anchored:
                broken.append(f"{page.relative_to(site)} → {link}")
    assert broken == []


def test_no_id_is_used_twice_on_a_page(site, outlines):
    twice = {page.name: {name for name in ids if ids.count(name) > 1} for page, ids in _ids(outlines).items()}
    assert {page: names for page, names in twice.items() if names} == {}


def _ids(outlines):
    return {page: outline.ids for page, outline in outlines.items()}


def test_every_image_has_words_for_those_who_do_not_see_it(site, outlines):
    # Without an alt text of its own, an image of a cell gets its file name: ":mystnb: {image: {alt: …}}" gives it one.
    undescribed = defaultdict(list)
    for page, outline in outlines.items():
        for image in outline.images:
            alt = (image.get("alt") or "").strip()
            if not alt or alt == image.get("src") or alt.endswith((".png", ".svg", ".jpeg", ".webp")):
                undescribed[str(page.relative_to(site))].append((image.get("src") or "")[:60])
    assert dict(undescribed) == {}


def test_one_search_field(site, outlines):
    assert {name: outlines[site / f"{name}.html"].searches for name in contents()} == dict.fromkeys(contents(), 1)


@pytest.mark.parametrize("name", contents())
@pytest.mark.parametrize(("screen", "schemes"), [("desktop", ("light", "dark")), ("phone", ("dark", "light"))])
def test_page_reads_offline_and_fits(open_page, address, name, screen, schemes):
    """Loaded once for each screen, in the first scheme; then the reader's system changes to the other."""
    watched = open_page(f"{address}/{name}.html", color_scheme=schemes[0], viewport=SCREENS[screen])
    page = watched.page
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
        page.wait_for_load_state("networkidle")
        page.wait_for_selector(f'html[data-theme="{scheme}"]', state="attached")
        widest = page.evaluate("document.documentElement.scrollWidth")
        assert widest <= SCREENS[screen]["width"], f"{name} scrolls sideways: {widest} px"
    assert watched.requests_outside(address) == []
    assert watched.errors == []


def test_mathematics_is_typeset_and_readable_aloud(open_page, address):
    page = open_page(f"{address}/notation.html").page
    page.wait_for_selector("mjx-container")
    assert page.locator(".bd-article span.math").count() == page.locator(".bd-article mjx-container").count()
    assert page.locator("mjx-assistive-mml math").count() > 20
    assert page.locator("mjx-merror").count() == 0


def test_fonts_travel_with_the_site(open_page, address):
    page = open_page(f"{address}/intro.html").page
    assert page.evaluate("document.fonts.check('16px \"Source Serif 4\"') && document.fonts.status") == "loaded"


def test_executed_chapters_are_published_as_notebooks(site):
    published = {path.relative_to(site / "_sources") for path in (site / "_sources").rglob("*.ipynb")}
    chapters = {Path(f"{name}.ipynb") for name in contents() if name[0].isdigit()}
    assert chapters and chapters <= published
    for path in published:
        notebook = nbformat.read(site / "_sources" / path, as_version=4)
        nbformat.validate(notebook)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert any(cell.outputs for cell in code), f"{path} was published without results"
        assert "{cite" not in "".join(cell.source for cell in notebook.cells), f"{path} still shows MyST roles"
