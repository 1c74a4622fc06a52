"""Quiz: every answer explains itself, by mouse and keyboard."""

import pytest

from minilib.interactive import Choice, Question, Quiz
from minilib.interactive.fragment import asset

QUIZ = Quiz(
    [
        Question("Is $x < 1$?", [Choice("No <i>", "It is."), Choice("Yes", "So it is.", correct=True)]),
        Question("And $5?", [Choice("Yes", "Right.", correct=True), Choice("No", "Wrong.")]),
    ]
)


def test_fragment_is_small_escaped_and_always_the_same():
    html = QUIZ._repr_html_()
    assert html == QUIZ._repr_html_()
    assert len(asset("quiz.js").encode()) < 1000
    assert "<i>" not in html
    assert '<span class="math">\\(x &lt; 1\\)</span>' in html
    assert "And $5?" in html


@pytest.fixture
def quiz(open_page, address):
    page = open_page(f"{address}/index.html").page
    page.set_content(QUIZ._repr_html_())
    return page


def test_a_choice_shows_why_only_when_checked(quiz):
    form = quiz.locator("form").first
    form.get_by_text("No", exact=False).first.click()
    assert form.locator(".quiz-why").count() == 0
    form.get_by_role("button", name="Check").click()
    assert form.get_by_role("status").inner_text() == "No. It is."
    form.get_by_label("Yes").check()
    assert form.locator(".quiz-why").count() == 0, "an old verdict must not stand beside a new choice"
    form.get_by_role("button", name="Check").click()
    assert form.get_by_role("status").inner_text() == "Yes. So it is."
    assert quiz.locator("form").nth(1).locator(".quiz-why").count() == 0


def test_checking_nothing_asks_for_a_choice(quiz):
    quiz.get_by_role("button", name="Check").first.click()
    assert quiz.get_by_role("status").first.inner_text() == "Choose an answer first."


def test_keyboard_alone_is_enough(quiz):
    quiz.keyboard.press("Tab")
    quiz.keyboard.press("ArrowDown")
    assert quiz.locator("form").first.locator(".quiz-why").count() == 0, "moving between answers must not judge them"
    quiz.keyboard.press("Enter")
    assert quiz.get_by_role("status").first.inner_text() == "Yes. So it is."
