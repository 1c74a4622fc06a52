"""A small model of views and random pictures with cameras, for several files of tests."""

import torch

from minilib.evaluate.views import Toys
from minilib.views.cameras import Camera, random_orbit
from minilib.views.denoiser import ViewDenoiserConfig
from minilib.views.inputs import Views
from minilib.views.lifted import LiftedConfig

SMALL = ViewDenoiserConfig(
    lifted=LiftedConfig(image_size=16, encoder=(8, 16), channels=8, volume_size=8, render_size=8, num_samples=8),
    widths=(16, 32),
)


def some_views(b, n, *, size=16, seed=0):
    """Noise as n views of each of b objects, from random cameras."""
    generator = torch.Generator().manual_seed(seed)
    some = random_orbit(b * n, generator, elevation=(-0.3, 1.0)).to(torch.float32)
    camera = Camera(some.camera_to_world.unflatten(0, (b, n)), some.intrinsics.unflatten(0, (b, n)))
    return Views(2 * torch.rand(b, n, 3, size, size, generator=generator) - 1, camera)


def some_toys(b):
    """The same as held-out toys are."""
    return Toys(some_views(b, 12))
