"""What is trained, how: one recipe for each model that ships. `python -m minilib.train NAME` runs them."""

from minilib.errors import unknown_name
from minilib.recipes.classifier_toybox import ClassifierToybox
from minilib.recipes.clip_toybox import CLIPToybox
from minilib.recipes.ddpm_toybox import DDPMToybox
from minilib.recipes.sam2_toybox import Sam2Toybox
from minilib.recipes.sam_toybox import SamToybox
from minilib.recipes.view_designs import RegressorToybox, TransformerToybox
from minilib.recipes.views_toybox import ViewsLarge, ViewsToybox
from minilib.recipes.vit_toybox import ViTToybox
from minilib.recipes.zero123_toybox import Zero123Toybox
from minilib.training import Recipe

RECIPES: dict[str, type[Recipe]] = {
    "classifier-toybox": ClassifierToybox,
    "clip-toybox": CLIPToybox,
    "ddpm-toybox": DDPMToybox,
    "regressor-toybox": RegressorToybox,
    "sam2-toybox": Sam2Toybox,
    "sam-toybox": SamToybox,
    "transformer-toybox": TransformerToybox,
    "views-large": ViewsLarge,
    "views-toybox": ViewsToybox,
    "vit-toybox": ViTToybox,
    "zero123-toybox": Zero123Toybox,
}


def make_recipe(name: str) -> Recipe:
    """The named recipe, as the shipped model was trained.

    Raises:
        ValueError: an unknown name; the nearest known one is suggested.
    """
    if name not in RECIPES:
        raise unknown_name("recipe", name, RECIPES)
    return RECIPES[name]()  # pyright: ignore[reportCallIssue]  # recipes have defaults for everything


__all__ = [
    "RECIPES",
    "CLIPToybox",
    "ClassifierToybox",
    "DDPMToybox",
    "RegressorToybox",
    "Sam2Toybox",
    "SamToybox",
    "TransformerToybox",
    "ViTToybox",
    "ViewsLarge",
    "ViewsToybox",
    "Zero123Toybox",
    "make_recipe",
]
