"""A small Zero-1-to-3: the other side of a toy from one view and four numbers."""

from dataclasses import dataclass, field
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.data import Dataset

from minilib.clip.model import CLIP
from minilib.diffusion.guidance import Denoise
from minilib.diffusion.losses import simple_loss
from minilib.recipes.clip_toybox import CLIPToybox
from minilib.recipes.toy_views import ToyViewsRecipe, view_training
from minilib.recipes.view_sets import FolderSets, ToySets
from minilib.training import TrainConfig
from minilib.views.cameras import Camera
from minilib.views.inputs import Views, check_views
from minilib.views.relative import spherical_offset
from minilib.views.zero123 import Zero123, Zero123Config


@cache
def trained_clip() -> CLIP:
    """`clip-toybox`, whose features the model is told; it does not learn."""
    from minilib.weights import load_trained

    return load_trained(CLIPToybox().name)[1]


@torch.no_grad()
def features_of(images: Float[Tensor, "b 3 h w"], *, patches: bool) -> Float[Tensor, "b n f"]:
    """What CLIP says of views: one feature of unit length or, with `patches`, its last tokens, projected alike."""
    clip = trained_clip().to(images.device)
    if not patches:
        return clip.encode_images(images)[:, None]
    return nn.functional.normalize(clip.image_projection(clip.image_tower.tokens(images)), dim=-1)


class ToldSets(Dataset):
    """Items of a dataset of views with the `features` of each view, in half precision.

    Args:
        toys: of which toys; all are looked at now.
        patches: see `features_of`.
    """

    def __init__(self, toys: ToySets | FolderSets, *, patches: bool):
        self.toys = toys
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        views = (toys[index]["rgb"].to(device) for index in range(len(toys)))
        self.features = [features_of(some, patches=patches).half().cpu() for some in views]

    def __len__(self) -> int:
        return len(self.toys)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return self.toys[index] | {"features": self.features[index]}


@dataclass(frozen=True, kw_only=True)
class Zero123Toybox(ToyViewsRecipe):
    """One view in, others out; the camera is said in numbers (Liu et al. 2023).

    Args:
        model: shape of the network.
        patches: whether the context has a token for each patch of the input view, in place of one for all of it.
    """

    name: str = "zero123-toybox"
    train: TrainConfig = field(default_factory=lambda: view_training(steps=5_900))
    model: Zero123Config = field(default_factory=Zero123Config)
    patches: bool = False
    max_views: int = 1

    @property
    def image_size(self) -> int:
        """Of the views, in pixels."""
        return self.model.image_size

    def make_model(self) -> Zero123:
        """The untrained model."""
        return Zero123(self.model)

    def make_dataset(self) -> Dataset:
        """Toys with all their views, and what CLIP says of them."""
        return ToldSets(self.training_objects(), patches=self.patches)

    @torch.no_grad()
    def denoiser_of(
        self, model: Zero123, views: Views, targets: Camera, *, samples: int = 1, guidance_scale: float = 1.0
    ) -> Denoise:
        """See `Zero123.denoiser_of`; of several input views, only the first is used.

        Raises:
            ValueError, TypeError: see `check_views`.
        """
        check_views(views, targets, image_size=self.model.image_size, trained=self.max_views)
        image = views.images[:, 0]
        told = (image, features_of(image, patches=self.patches))
        image, features = (some.repeat_interleave(targets.batch_shape[1], dim=0) for some in told)
        offset = spherical_offset(targets, views.camera[:, :1]).flatten(0, 1)
        many = (some.repeat_interleave(samples, dim=0) for some in (image, features, offset))
        return model.denoiser_of(*many, guidance_scale=guidance_scale)

    def losses(self, model: nn.Module, batch: dict[str, Tensor]) -> Float[Tensor, " b"]:
        """The squared error of x̂_0."""
        task = self.task(batch)
        toys = torch.arange(len(task.x0), device=task.x0.device)
        features = batch["features"][toys, task.inputs[:, 0]].float()
        offset = spherical_offset(task.targets, task.views.camera[:, :1]).float()
        told = (
            some.repeat_interleave(self.num_targets, dim=0) for some in (task.views.images[:, 0], features, task.blind)
        )
        image, features, blind = told
        x_t, t, x0, noise, offset = (some.flatten(0, 1) for some in (task.x_t, task.t, task.x0, task.noise, offset))
        predicted = model(x_t, t, image, features, offset, blind)
        process = self.make_process().to(x0.device)
        loss = simple_loss(process, predicted, x0, t, noise, prediction_type="sample")
        return loss.unflatten(0, task.t.shape).mean(1)
