"""Figures that answer when touched, in a static page, JupyterLab and Colab alike, without a kernel or a network.

Each object returns one self-contained HTML fragment. `live` and `clicker` hold the counterparts that compute while you
drag or click.
"""

from minilib.interactive.flipbook import Flipbook
from minilib.interactive.hovermaps import HoverMaps
from minilib.interactive.orbit import Orbit
from minilib.interactive.promptbars import PromptBars
from minilib.interactive.quiz import Choice, Question, Quiz

__all__ = ["Choice", "Flipbook", "HoverMaps", "Orbit", "PromptBars", "Question", "Quiz"]
