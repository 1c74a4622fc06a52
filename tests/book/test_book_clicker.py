"""The script of `mask_clicker` in a page of its own, on a model that only remembers: mouse and keyboard."""

import re
from pathlib import Path

import numpy as np
import pytest
from bookhouse import Server

from minilib.interactive.fragment import asset
from minilib.interactive.pictures import png

PAGE = """<!doctype html><title>clicker</title><link rel="icon" href="data:,"><style>%s</style>
<body><div id="here"></div>
<script type="module">
import widget from "./clicker.js";
const state = { points: [], box: [], label: 1, size: 64, scale: 4 }, heard = {};
window.model = {
  saved: 0,
  get: (name) => state[name],
  set: (name, value) => { state[name] = value; (heard[`change:${name}`] ?? []).forEach((one) => one()); },
  on: (event, one) => (heard[event] ??= []).push(one),
  off: (event, one) => { heard[event] = heard[event].filter((other) => other !== one); },
  save_changes: () => { model.saved += 1; },
};
window.heard = heard;
state.picture = new DataView(await (await fetch("./picture.png")).arrayBuffer());
window.cleanup = widget.render({ model, el: document.querySelector("#here") });
document.body.dataset.ready = "yes";
</script>"""


def test_script_is_small_and_plain():
    script = asset("clicker.js")
    assert len(script.encode()) < 8000
    assert not re.search(r"https?://|import|fetch|eval", script)


@pytest.fixture
def watched(tmp_path: Path, open_page):
    (tmp_path / "picture.png").write_bytes(png(np.full((64, 64, 3), 128, np.uint8)))
    (tmp_path / "clicker.js").write_text(asset("clicker.js"), encoding="utf-8")
    (tmp_path / "index.html").write_text(PAGE % asset("clicker.css"), encoding="utf-8")
    with Server(tmp_path) as address:
        watched = open_page(f"{address}/index.html")
        watched.page.wait_for_selector("body[data-ready]")
        yield watched
        assert watched.errors == [] and watched.requests_outside(address) == []


@pytest.fixture
def page(watched):
    return watched.page


def traits(page):
    return page.evaluate("[model.get('points'), model.get('box')]")


def screen(page, x, y):
    """Where the centre of a pixel of the picture lies on the screen."""
    frame = page.locator(".clicker-picture").bounding_box()
    return frame["x"] + (x + 0.5) * frame["width"] / 64, frame["y"] + (y + 0.5) * frame["height"] / 64


def click(page, x, y, *, shift=False):
    if shift:
        page.keyboard.down("Shift")
    page.mouse.click(*screen(page, x, y))
    if shift:
        page.keyboard.up("Shift")


def drag(page, start, end):
    page.mouse.move(*screen(page, *start))
    page.mouse.down()
    page.mouse.move(*screen(page, *end), steps=5)
    page.mouse.up()


def test_clicks_add_and_remove_points(page):
    click(page, 10, 20)
    click(page, 40, 50, shift=True)
    assert traits(page) == [[[10, 20, 1], [40, 50, 0]], []]
    assert page.locator(".clicker-inside").count() == page.locator(".clicker-outside").count() == 1
    assert page.inner_text(".clicker-said") == "point outside at x 40, y 50"
    click(page, 11, 20)
    assert traits(page) == [[[40, 50, 0]], []]
    assert page.evaluate("model.saved") == 3
    page.evaluate("model.set('label', 0)")
    click(page, 5, 5)
    assert traits(page)[0][-1] == [5, 5, 0]


def test_the_edge_belongs_to_the_picture(page):
    click(page, 0, 0)
    click(page, 63, 63)
    assert traits(page)[0] == [[0, 0, 1], [63, 63, 1]]


def test_dragging_draws_a_box_in_any_direction(page, tmp_path):
    drag(page, (50, 45), (12, 8))
    assert traits(page) == [[], [12, 8, 50, 45]]
    drag(page, (20, 30), (300, 40))
    assert traits(page) == [[], [20, 30, 63, 40]]
    frame = page.locator(".clicker-box-over").bounding_box()
    assert (frame["width"], frame["height"]) == pytest.approx((44 * 4, 11 * 4), abs=2)


def test_what_the_kernel_changes_is_drawn(page):
    page.evaluate("model.set('points', [[1, 2, 1], [3, 4, 0]]); model.set('box', [1, 2, 30, 40])")
    assert page.locator(".clicker-overlay circle").count() == 2
    page.evaluate("model.set('points', []); model.set('box', [])")
    assert page.locator(".clicker-overlay circle, .clicker-overlay rect").count() == 0
    before = page.get_attribute(".clicker-image", "src")
    page.evaluate("model.set('picture', model.get('picture'))")
    assert page.get_attribute(".clicker-image", "src") != before
    page.wait_for_function("document.querySelector('.clicker-image').naturalWidth === 64")


def test_everything_can_be_done_with_the_keyboard(page):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "clicker-picture"
    assert page.locator(".clicker-cursor").evaluate("one => getComputedStyle(one).visibility") == "visible"
    for key in ("ArrowRight", "ArrowUp", "ArrowUp", "Enter", "Shift+ArrowLeft", "Shift+ArrowDown", "Shift+Enter"):
        page.keyboard.press(key)
    assert traits(page) == [[[33, 30, 1], [23, 40, 0]], []]
    page.keyboard.press("Enter")
    assert traits(page)[0] == [[33, 30, 1]]
    for key in ("b", "Shift+ArrowRight", "Shift+ArrowUp", "b"):
        page.keyboard.press(key)
    assert traits(page)[1] == [23, 30, 33, 40]
    for key in ("b", "Shift+ArrowRight", "Escape"):
        page.keyboard.press(key)
    assert traits(page)[1] == [23, 30, 33, 40]


def test_the_picture_says_what_it_is(page):
    picture = page.get_by_role("application", name=re.compile("^Picture to click on"))
    assert picture.get_attribute("tabindex") == "0"
    described = picture.get_attribute("aria-describedby")
    assert "Shift+click" in page.inner_text(f"#{described}")


def test_nothing_is_heard_after_the_view_is_gone(page):
    page.evaluate("cleanup()")
    assert page.evaluate("Object.values(heard).flat().length") == 0
