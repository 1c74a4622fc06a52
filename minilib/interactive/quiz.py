"""Quiz: questions with one right answer, each answer explained, as HTML that needs nothing but a browser."""

from collections.abc import Sequence
from dataclasses import dataclass

from minilib.interactive.fragment import asset, element, text


@dataclass(frozen=True)
class Choice:
    """One answer.

    Args:
        text: the answer, plain text with $mathematics$.
        why: why it is right, or which idea behind it is mistaken.
        correct: whether it is the right one.
    """

    text: str
    why: str
    correct: bool = False


@dataclass(frozen=True)
class Question:
    """A question with two or more choices, one of them correct.

    Args:
        text: the question, plain text with $mathematics$.
        choices: in the order in which they are shown.
    Raises:
        ValueError: fewer than two choices, not exactly one correct one, or a choice without a `why`.
    """

    text: str
    choices: Sequence[Choice]

    def __post_init__(self):
        if len(self.choices) < 2:
            raise ValueError(f"question {self.text!r}: expected at least two choices, got {len(self.choices)}")
        correct = sum(choice.correct for choice in self.choices)
        if correct != 1:
            raise ValueError(f"question {self.text!r}: expected exactly one correct choice, got {correct}")
        for choice in self.choices:
            if not choice.why.strip():
                raise ValueError(f"question {self.text!r}: choice {choice.text!r} does not say why")


class Quiz:
    """Questions to check oneself with; nothing is counted or sent. Choose, press Check, read why.

    Args:
        questions: at least one.
    Raises:
        ValueError: no questions.
    """

    def __init__(self, questions: Sequence[Question]):
        if not questions:
            raise ValueError("expected at least one question, got none")
        self._questions = list(questions)

    def _repr_html_(self) -> str:
        return element(
            "div",
            element("style", asset("quiz.css")),
            *(_form(number, question) for number, question in enumerate(self._questions, start=1)),
            element("script", asset("quiz.js")),
            class_="quiz",
        )

    def __repr__(self) -> str:
        return f"Quiz({len(self._questions)} questions)"


def _form(number: int, question: Question) -> str:
    choices = "".join(map(_choice, question.choices))
    none_chosen = element("p", "Choose an answer first.", class_="quiz-why")
    return element(
        "form",
        element("fieldset", element("legend", f"{number}. {text(question.text)}"), choices),
        element("template", none_chosen, class_="quiz-none"),
        element("button", "Check", type="submit"),
        element("div", class_="quiz-answer", role="status"),
    )


def _choice(choice: Choice) -> str:
    # Radio buttons group by form, so one name serves every question and two quizzes never meet.
    button = element("input", type="radio", name="choice", autocomplete="off")
    verdict = element("strong", "Yes." if choice.correct else "No.")
    why = element("p", f"{verdict} {text(choice.why)}", class_="quiz-why", data_right=choice.correct)
    return element("label", button, element("span", text(choice.text))) + element("template", why)
