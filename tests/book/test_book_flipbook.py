"""Flipbook: the fragment itself, then driven by mouse, touch and keyboard in the static page."""

import base64
import io
import re

import numpy as np
import pytest
import torch
from bookhouse import Watched
from PIL import Image

from minilib.interactive import Flipbook
from minilib.interactive.fragment import asset
from minilib.interactive.pictures import webp

ALT = re.compile(r'alt="([^"]*)"')
FRAMES = re.compile(r"data:image/webp;base64,([^\"]+)")


def ramp(frames: int, size: int = 8) -> torch.Tensor:
    """(frames, 3, size, size): grey frames from black to white."""
    return torch.linspace(-1, 1, frames).reshape(-1, 1, 1, 1).expand(-1, 3, size, size)


def flipbook(**changes) -> Flipbook:
    options = {"tracks": {"a": ramp(3), "b": ramp(3)}, "labels": ["t = 0", "t = 1", "t = 2"], "alt": "A ramp"}
    return Flipbook(**{**options, **changes})


def test_script_is_small_and_plain():
    script = asset("flipbook.js")
    assert len(script.encode()) < 3000
    assert not re.search(r"https?://|import|fetch|eval", script)


def test_same_frames_give_the_same_bytes():
    assert flipbook()._repr_html_() == flipbook()._repr_html_()


def test_every_frame_has_its_own_words():
    html = flipbook(readouts={"a": ["SNR 9", "SNR 1", "SNR 0"]})._repr_html_()
    assert ALT.findall(html) == [
        *("A ramp: a, t = 0, SNR 9", "A ramp: a, t = 1, SNR 1", "A ramp: a, t = 2, SNR 0"),
        *("A ramp: b, t = 0", "A ramp: b, t = 1", "A ramp: b, t = 2"),
    ]


def test_only_the_first_frame_shows_where_no_script_runs():
    html = flipbook()._repr_html_()
    assert len(re.findall(r'class="flipbook-frame" hidden', html)) == 4
    assert len(re.findall(r'class="flipbook-frame">', html)) == 2


def test_words_cannot_break_out_of_their_place():
    nasty = "</script><b onclick='x()'>\"&"
    html = Flipbook({nasty: ramp(1)}, [nasty], alt=nasty, caption=nasty, readouts={nasty: [nasty]})._repr_html_()
    assert "<b onclick" not in html
    assert html.count("</script>") == 1


def test_clean_frames_are_exact_and_noise_nearly_so():
    for frame, tolerance in ((ramp(5)[2], 0), (torch.randn(3, 32, 32, generator=torch.Generator().manual_seed(0)), 5)):
        html = Flipbook({"": [frame]}, ["only"], alt="frame", clip=True)._repr_html_()
        shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(FRAMES.findall(html)[0]))).convert("RGB"))
        exact = frame.clamp(-1, 1).add(1).mul(127.5).round().permute(1, 2, 0).numpy()
        assert np.abs(shown - exact).max() <= tolerance


def test_a_noisy_frame_of_64_pixels_takes_at_most_8_kilobytes():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert len(webp(noise)) <= 8000


def test_bytes_and_single_channels_are_shown_too():
    grey = np.full((4, 4, 1), 128, dtype=np.uint8)
    assert FRAMES.search(Flipbook({"": [grey, grey]}, ["a", "b"], alt="grey")._repr_html_())


def test_repr_says_what_it_weighs():
    assert re.fullmatch(r"Flipbook\('a', 'b' × 3 frames, \d+ kB\)", repr(flipbook()))


# In the page


@pytest.fixture
def page_of(open_page, tmp_path, address):
    """Opens fragments on a bare page of their own."""

    def open_(*fragments: str, **options) -> Watched:
        watched = open_page(f"{address}/index.html", **options)
        watched.page.set_content(
            "<!doctype html><meta name=viewport content='width=device-width'>" + "".join(fragments)
        )
        return watched

    return open_


def shown(page, nth: int = 0) -> list[str]:
    """Alt texts of the frames to be seen in a flipbook."""
    images = page.locator(".flipbook").nth(nth).locator(".flipbook-frame img:visible")
    return [image.get_attribute("alt") or "" for image in images.all()]


def test_mouse_turns_the_frames_of_all_tracks(page_of):
    page = page_of(flipbook()._repr_html_()).page
    assert shown(page) == ["A ramp: a, t = 0", "A ramp: b, t = 0"]
    before = page.locator(".flipbook-tracks").screenshot()
    box = page.locator("input[type=range]").bounding_box()
    page.mouse.move(box["x"] + 8, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 4, box["y"] + box["height"] / 2, steps=5)
    page.mouse.up()
    assert shown(page) == ["A ramp: a, t = 2", "A ramp: b, t = 2"]
    assert page.locator("output").inner_text() == "t = 2"
    assert page.locator("input[type=range]").get_attribute("aria-valuetext") == "t = 2"
    assert page.locator(".flipbook-tracks").screenshot() != before


def test_touch_turns_the_frames(page_of):
    page = page_of(
        flipbook()._repr_html_(), has_touch=True, is_mobile=True, viewport={"width": 390, "height": 844}
    ).page
    box = page.locator("input[type=range]").bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert shown(page)[0] == "A ramp: a, t = 1"


def test_keyboard_turns_the_frames_and_shows_where_it_is(page_of):
    page = page_of(flipbook()._repr_html_()).page
    page.keyboard.press("Tab")  # the button
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.type") == "range"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("ArrowRight")
    assert shown(page)[0] == "A ramp: a, t = 1"
    page.keyboard.press("End")
    assert shown(page)[0] == "A ramp: a, t = 2"
    page.keyboard.press("Home")
    assert shown(page)[0] == "A ramp: a, t = 0"


def test_play_runs_to_the_end_and_stops(page_of):
    page = page_of(flipbook()._repr_html_()).page
    button = page.locator("button")
    button.press("Enter")
    assert button.inner_text() == "Pause"
    page.wait_for_function("document.querySelector('.flipbook button').textContent === 'Play'")
    assert shown(page)[0] == "A ramp: a, t = 2"


def test_pause_stops_at_once(page_of):
    page = page_of(flipbook(tracks={"a": ramp(50)}, labels=[f"t = {t}" for t in range(50)])._repr_html_()).page
    page.locator("button").click()
    page.locator("button").click()
    here = shown(page)
    page.wait_for_timeout(700)
    assert shown(page) == here


def test_where_motion_is_unwelcome_nothing_runs_by_itself(page_of):
    page = page_of(flipbook()._repr_html_(), reduced_motion="reduce").page
    button = page.locator("button")
    assert button.inner_text() == "Next"
    button.click()
    page.wait_for_timeout(700)
    assert shown(page)[0] == "A ramp: a, t = 1"


def test_several_on_a_page_do_not_disturb_each_other(page_of):
    watched = page_of(flipbook()._repr_html_(), flipbook()._repr_html_())
    page = watched.page
    page.locator("input[type=range]").nth(1).press("End")
    assert shown(page, 0)[0] == "A ramp: a, t = 0"
    assert shown(page, 1)[0] == "A ramp: a, t = 2"
    assert watched.errors == []


def test_pixels_stay_crisp_and_fit_a_phone(page_of):
    page = page_of(flipbook(scale=40)._repr_html_(), viewport={"width": 390, "height": 844}).page
    image = page.locator(".flipbook img:visible").first
    assert image.evaluate("e => getComputedStyle(e).imageRendering") == "pixelated"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_chapters_flipbook_works_in_the_static_page(open_page, address):
    watched = open_page(f"{address}/1-diffusion/noising.html", color_scheme="dark")
    page = watched.page
    first = shown(page)
    assert len(first) >= 2, "the chapter compares at least two schedules"
    page.locator(".flipbook input[type=range]").first.press("End")
    assert shown(page) != first
    assert page.locator(".flipbook img:visible").first.evaluate("e => getComputedStyle(e).filter") == "none"
    assert watched.requests_outside(address) == []
    assert watched.errors == []
