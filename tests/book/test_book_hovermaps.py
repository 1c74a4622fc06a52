"""HoverMaps: the fragment itself, then pointed at by mouse, touch and keyboard in a page of its own."""

import base64
import io
import re

import numpy as np
import pytest
import torch
from bookhouse import Server
from PIL import Image

from minilib.interactive import HoverMaps
from minilib.interactive.fragment import asset

SPRITE = re.compile(r"data:image/png;base64,([^)]+)")


def own_place(rows: int = 3, columns: int = 4) -> torch.Tensor:
    """Each place's map is bright at that place only."""
    return torch.eye(rows * columns).reshape(rows, columns, rows, columns)


def hovermaps(**changes) -> HoverMaps:
    options = {"maps": {"itself": own_place(), "all": torch.ones(3, 4, 6, 8)}, "alt": "A picture"}
    return HoverMaps(torch.linspace(-1, 1, 36).reshape(1, 6, 6).expand(3, -1, -1), **{**options, **changes})


def sprites(html: str) -> list[np.ndarray]:
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(one)))) for one in SPRITE.findall(html)]


def test_script_is_small_and_plain():
    script = asset("hovermaps.js")
    assert len(script.encode()) < 3000
    assert not re.search(r"https?://|import|fetch|eval", script)


def test_each_place_s_map_lies_where_the_page_looks_for_it():
    first, second = sprites(hovermaps()._repr_html_())
    assert first.shape == (9, 16, 3) and second.shape == (18, 32, 3)
    brightness = first.astype(int).sum(-1)
    for row in range(3):
        for column in range(4):
            tile = brightness[3 * row : 3 * row + 3, 4 * column : 4 * column + 4]
            assert np.unravel_index(tile.argmax(), tile.shape) == (row, column)
            assert (np.sort(tile.flatten())[:-1] < 30).all()


def test_words_cannot_break_out_of_their_place():
    nasty = "</script><b onclick='x()'>\"&"
    html = hovermaps(maps={nasty: own_place()}, alt=nasty, caption=nasty, readouts=[nasty] * 12)._repr_html_()
    assert "<b onclick" not in html
    assert html.count("</script>") == 1


def test_repr_says_what_it_weighs():
    assert re.fullmatch(r"HoverMaps\(3 × 4 places, 'itself', 'all', \d+ kB\)", repr(hovermaps()))


@pytest.fixture
def page(tmp_path, open_page):
    """A page with nothing but the figure, its readouts numbered; options are Playwright's."""
    html = hovermaps(readouts=[f"number {k}" for k in range(12)], scale=40)._repr_html_()
    (tmp_path / "index.html").write_text(f"<!doctype html><title>maps</title><body>{html}</body>", encoding="utf-8")
    with Server(tmp_path) as address:
        yield lambda **options: open_page(f"{address}/index.html", **options).page


def position(page) -> tuple[str, str]:
    """What the readout says, and which tile the first panel shows."""
    shown = page.eval_on_selector(".hovermaps-map", "map => getComputedStyle(map).backgroundPosition")
    return page.text_content(".hovermaps-output"), shown


def test_starts_in_the_middle(page):
    assert position(page()) == ("row 2, column 3: number 6", "66.6667% 50%")


def test_follows_the_mouse(page):
    opened = page()
    box = opened.query_selector(".hovermaps-picture").bounding_box()
    opened.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.1 * box["height"])
    assert position(opened) == ("row 1, column 4: number 3", "100% 0%")
    cell = opened.query_selector(".hovermaps-picture .hovermaps-cell").bounding_box()
    assert cell["x"] == pytest.approx(box["x"] + 0.75 * box["width"], abs=1)
    assert cell["height"] == pytest.approx(box["height"] / 3, abs=1)


def test_follows_a_finger(page):
    opened = page(has_touch=True, viewport={"width": 390, "height": 800})
    box = opened.query_selector(".hovermaps-picture").bounding_box()
    opened.touchscreen.tap(box["x"] + 0.1 * box["width"], box["y"] + 0.9 * box["height"])
    assert position(opened) == ("row 3, column 1: number 8", "0% 100%")
    assert opened.evaluate("document.documentElement.scrollWidth") <= 390


def test_follows_the_arrow_keys_and_tells_it(page):
    opened = page()
    opened.focus(".hovermaps-picture")
    for key in ("ArrowUp", "ArrowUp", "ArrowUp", "ArrowRight", "ArrowRight"):
        opened.keyboard.press(key)
    assert position(opened) == ("row 1, column 4: number 3", "100% 0%")
    assert opened.get_attribute(".hovermaps-picture", "aria-valuetext") == "row 1, column 4: number 3"


def test_a_map_is_there_without_scripts(page):
    opened = page(java_script_enabled=False)
    style = opened.get_attribute(".hovermaps", "style")
    assert "--x: 66.6667%" in style and "--y: 50%" in style


def test_masks_lie_over_the_picture_and_move_alone(open_page, tmp_path):
    """Half of a picture is white, half is grey; of the shadow only that of the place is seen."""
    picture, maps = torch.ones(3, 8, 8), torch.zeros(2, 2, 8, 8)
    picture[:, 4:] = 0.0
    maps[0, :, :, :4], maps[1, :, :, 4:] = 1.0, 1.0  # first line of places: the left is inside, second: the right
    html = HoverMaps(picture, {"mask": maps}, alt="halves", over=True, start=(0, 0), scale=20, panel=160)._repr_html_()
    (tmp_path / "index.html").write_text(f"<!doctype html><title>masks</title><body>{html}</body>", encoding="utf-8")
    shots = []
    with Server(tmp_path) as address:
        page = open_page(f"{address}/index.html").page
        page.focus(".hovermaps-picture")
        for key in ("ArrowRight", "ArrowDown"):
            page.keyboard.press(key)
            shots.append(Image.open(io.BytesIO(page.query_selector(".hovermaps-map").screenshot())).convert("L"))
    for shot, inside, outside in zip(shots, (1, 3), (3, 1), strict=True):
        width, height = shot.size
        found = [
            shot.getpixel((column * width // 4, row * height // 4)) for column in (inside, outside) for row in (1, 3)
        ]
        assert found[0] > 245 and 110 < found[1] < 145  # white above, grey below
        assert found[2] < 80 and found[3] < 50  # both dark
