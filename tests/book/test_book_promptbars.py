"""PromptBars: the fragment itself, then used by mouse and keyboard in a page of its own."""

import re

import pytest
import torch
from bookhouse import Server

from minilib.interactive import PromptBars
from minilib.interactive.fragment import asset

WORDS = {"colour": ["a", "a red", "a blue"], "thing": ["mug", "car"]}
COSINES = torch.tensor(
    [[[0.1, -0.1], [0.5, 0.0], [-0.2, -0.3]], [[-0.1, 0.2], [0.0, 0.1], [0.3, 0.9]]]
)  # a red mug, then a blue car


def bars(**changes) -> PromptBars:
    options = {
        "images": [torch.zeros(3, 4, 4), torch.ones(3, 4, 4)],
        "cosines": COSINES,
        "words": WORDS,
        "alts": ["A mug", "A car"],
    }
    return PromptBars(**{**options, "alt": "Two toys", "scale": 10.0, "start": (1, 0), **changes})


def test_script_is_small_and_plain():
    script = asset("promptbars.js")
    assert len(script.encode()) < 3000
    assert not re.search(r"https?://|import|fetch|eval", script)


def test_words_cannot_break_out_of_their_place():
    nasty = "</script><b onclick='x()'>\"&"
    html = bars(words={nasty: [nasty] * 3, "thing": ["mug", "car"]}, alt=nasty, caption=nasty)._repr_html_()
    assert "<b onclick" not in html
    assert html.count("</script>") == 1


def test_repr_says_what_it_weighs():
    assert re.fullmatch(r"PromptBars\(2 pictures, 6 prompts, \d+ kB\)", repr(bars()))


@pytest.fixture
def page(tmp_path, open_page, request):
    """A page with nothing but the figure; options are Playwright's."""
    html = bars(**getattr(request, "param", {}))._repr_html_()
    (tmp_path / "index.html").write_text(f"<!doctype html><title>bars</title><body>{html}</body>", encoding="utf-8")
    with Server(tmp_path) as address:
        yield lambda **options: open_page(f"{address}/index.html", **options).page


def state(page) -> tuple[str, list[str], list[str]]:
    """The prompt, the number below each picture, and the rows of the chosen picture."""
    numbers = page.eval_on_selector_all("button .promptbars-value", "all => all.map(one => one.textContent)")
    rows = page.eval_on_selector_all(
        ".promptbars-row", "all => all.map(one => [...one.children].map(c => c.innerText).join(' '))"
    )
    return page.text_content(".promptbars-prompt"), numbers, [" ".join(row.split()) for row in rows]


def test_starts_with_the_first_prompt_and_its_best_picture(page):
    prompt, numbers, rows = state(page())
    assert (prompt, numbers) == ("a red mug", ["0.50", "0.00"])
    assert rows == ["mug 99 %", "car 1 %"]


def test_a_word_is_chosen(page):
    opened = page()
    opened.select_option("select >> nth=0", "2")
    prompt, numbers, rows = state(opened)
    assert (prompt, numbers) == ("a blue mug", ["-0.20", "0.30"])
    names = opened.eval_on_selector_all("button", "all => all.map(one => one.getAttribute('aria-label'))")
    assert names == ["A mug: cosine -0.20", "A car: cosine 0.30"]
    assert rows == ["a 2 %", "a red 98 %", "a blue 0 %"]  # the first picture, over colours now


def test_a_picture_is_chosen_with_the_keyboard(page):
    opened = page()
    opened.focus("button >> nth=1")
    opened.keyboard.press("Enter")
    assert opened.get_attribute("button >> nth=1", "aria-pressed") == "true"
    assert opened.get_attribute("button >> nth=0", "aria-pressed") == "false"
    assert opened.text_content(".promptbars-about") == "A car, with each thing in the prompt:"
    assert state(opened)[2] == ["mug 27 %", "car 73 %"]


def test_bars_are_as_long_as_their_numbers(page):
    opened = page()
    shares = opened.eval_on_selector_all(
        "button .promptbars-bar", "all => all.map(one => Number(one.style.getPropertyValue('--share')))"
    )
    assert shares == pytest.approx([0.5 / 0.9, 0.0], abs=1e-3)


def test_the_first_prompt_is_there_without_scripts(page):
    opened = page(java_script_enabled=False)
    html = opened.content()
    assert "a red mug" in html and "0.50" in html


MANY = {
    "images": [torch.zeros(3, 4, 4)] * 10,
    "cosines": torch.zeros(10, 3, 2),
    "alts": ["A toy"] * 10,
    "words": {
        "colour": ["a", "a rather long word for a colour", "a blue"],
        "thing": ["a very long word for a thing", "car"],
    },
}


@pytest.mark.parametrize("page", [MANY], indirect=True)
def test_fits_a_telephone(page):
    opened = page(viewport={"width": 390, "height": 800})
    assert opened.evaluate("document.documentElement.scrollWidth") <= 390
