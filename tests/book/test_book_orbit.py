"""Orbit: the fragment itself, then turned by mouse, touch and keyboard in a page of its own."""

import base64
import io
import re

import numpy as np
import pytest
import torch
from bookhouse import Server
from PIL import Image

from minilib.interactive import Orbit
from minilib.interactive.fragment import asset

SPRITE = re.compile(r"data:image/webp;base64,([^)]+)")


def views(rings: int = 3, cameras: int = 8) -> torch.Tensor:
    """Views each of a grey of its own, of 4 × 6 pixels."""
    grey = torch.linspace(-1, 1, rings * cameras).reshape(rings, cameras, 1, 1, 1)
    return grey.expand(-1, -1, 3, 4, 6)


def orbit(**changes) -> Orbit:
    return Orbit(**{"panels": {"truth": views(), "model": -views()}, "alt": "A toy", **changes})


def test_script_is_small_and_plain():
    script = asset("orbit.js")
    assert len(script.encode()) < 3000
    assert not re.search(r"https?://|import|fetch|eval", script)


def test_each_view_lies_where_the_page_looks_for_it():
    first, second = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(one))))[..., 0]
        for one in SPRITE.findall(orbit()._repr_html_())
    )
    assert first.shape == (12, 48)
    for ring in range(3):
        for camera in range(8):
            tile = first[4 * ring : 4 * ring + 4, 6 * camera : 6 * camera + 6]
            assert (tile == round(255 * (8 * ring + camera) / 23)).all()
    assert (abs(first.astype(int) + second - 255) <= 1).all()


def test_words_cannot_break_out_of_their_place():
    nasty = "</script><b onclick='x()'>\"&"
    html = orbit(panels={nasty: views()}, alt=nasty, caption=nasty, readouts=[nasty] * 24)._repr_html_()
    assert "<b onclick" not in html
    assert html.count("</script>") == 1


def test_repr_says_what_it_weighs():
    assert re.fullmatch(r"Orbit\(3 × 8 cameras, 'truth', 'model', \d+ kB\)", repr(orbit()))


@pytest.fixture
def page(tmp_path, open_page):
    """A page with nothing but the figure, its readouts numbered; options are Playwright's."""
    html = orbit(readouts=[f"number {k}" for k in range(24)], scale=40, start=(1, 2))._repr_html_()
    (tmp_path / "index.html").write_text(f"<!doctype html><title>orbit</title><body>{html}</body>", encoding="utf-8")
    with Server(tmp_path) as address:
        yield lambda **options: open_page(f"{address}/index.html", **options).page


def position(page) -> tuple[str, str]:
    """What the readout says, and which tile the second panel shows."""
    shown = page.eval_on_selector_all(".orbit-view", "views => getComputedStyle(views[1]).backgroundPosition")
    return page.text_content(".orbit-output"), shown


def test_starts_where_it_is_told(page):
    assert position(page()) == ("number 10", "28.5714% 50%")


def test_a_drag_turns_the_object_and_goes_around(page):
    opened = page()
    box = opened.query_selector(".orbit-view").bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    opened.mouse.move(*middle)
    opened.mouse.down()
    opened.mouse.move(middle[0] + 0.26 * box["width"], middle[1], steps=4)
    assert position(opened) == ("number 9", "14.2857% 50%")
    opened.mouse.move(middle[0] + 0.76 * box["width"], middle[1], steps=4)
    assert position(opened)[0] == "number 15"
    opened.mouse.up()
    opened.mouse.move(*middle)
    assert position(opened)[0] == "number 15"


def test_a_drag_upwards_shows_more_from_below(page):
    opened = page()
    box = opened.query_selector(".orbit-view").bounding_box()
    opened.mouse.move(box["x"] + 20, box["y"] + 100)
    opened.mouse.down()
    opened.mouse.move(box["x"] + 20, box["y"] + 100 - 0.4 * box["width"], steps=4)
    assert position(opened)[0] == "number 18"


def test_follows_the_arrow_keys_and_tells_it(page):
    opened = page()
    opened.focus(".orbit-panels")
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight"):
        opened.keyboard.press(key)
    assert position(opened)[0] == "number 7"
    assert opened.get_attribute(".orbit-panels", "aria-valuetext") == "number 7"


def test_a_small_screen_is_not_too_small(page):
    opened = page(has_touch=True, viewport={"width": 390, "height": 800})
    assert opened.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_view_is_there_without_scripts(page):
    opened = page(java_script_enabled=False)
    assert "--y: 50%" in opened.get_attribute(".orbit", "style")
