"""Cameras drawn into a picture of the world: pyramids with the pictures that they take."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from minilib.figures.masks import COLORS
from minilib.views.cameras import Camera, pixel_centers, project, ray_directions, unproject

NEAR = 0.05
"""Depth in front of the viewer before which nothing is drawn."""


def draw_frusta(
    image: Float[Tensor, "3 h w"],
    depth: Float[Tensor, "h w"],
    viewer: Camera,
    cameras: Camera,
    pictures: Sequence[Float[Tensor, "3 a a"]] = (),
    *,
    size: float = 0.5,
) -> Float[Tensor, "3 h w"]:
    """A rendered view with cameras in it, where nothing of the scene is nearer.

    Args:
        image: the view, in [−1, 1].
        depth: of its pixels, inf where there is nothing.
        viewer: its camera.
        cameras: those to be drawn, batch shape (n,).
        pictures: what each of them takes, put on the base of its pyramid; none for empty ones.
        size: height of the pyramids, in world units.
    """
    image, depth = image.clone(), depth.clone()
    for number in range(cameras.batch_shape[0]):
        camera = cameras[number]
        if pictures:
            _hang(image, depth, viewer, camera, pictures[number], size)
        corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]).to(camera.position)
        base = unproject(camera, corners, torch.full((4,), size).to(camera.position))
        ends = [(base[k], base[(k + 1) % 4]) for k in range(4)] + [(camera.position, corner) for corner in base]
        color = 2 * torch.tensor(COLORS[number % len(COLORS)]) - 1
        for start, end in ends:
            _line(image, depth, viewer, start, end, color)
    return image


def _hang(
    image: Tensor, depth: Tensor, viewer: Camera, camera: Camera, picture: Float[Tensor, "3 a a"], size: float
) -> None:
    """Puts a picture on the base of a camera's pyramid: where each ray of the viewer meets its plane."""
    height, width = depth.shape
    directions = ray_directions(viewer, pixel_centers(height, width, device=depth.device).to(viewer.position))
    axis = camera.camera_to_world[:3, 2]
    reach = ((camera.position + size * axis - viewer.position) @ axis) / (directions @ axis)
    uv, _ = project(camera, viewer.position + reach[..., None] * directions)
    shown = ((uv > 0) & (uv < 1)).all(-1) & (reach > NEAR) & (reach < depth)
    grid = (2 * uv - 1)[None].float()
    colors = F.grid_sample(picture[None].float(), grid, padding_mode="border", align_corners=False)[0]
    image[:, shown] = colors[:, shown]
    depth[shown] = reach[shown].to(depth)


def _line(image: Tensor, depth: Tensor, viewer: Camera, start: Tensor, end: Tensor, color: Tensor) -> None:
    """Paints a line of the world, two pixels wide, where nothing is before it."""
    height, width = depth.shape
    steps = torch.linspace(0, 1, 4 * max(height, width)).to(start)[:, None]
    uv, away = project(viewer, start + steps * (end - start))
    inside = (away > NEAR) & ((uv >= 0) & (uv < 1)).all(-1)
    columns, rows = (uv[inside] * uv.new_tensor([width, height])).long().unbind(-1)
    for down in (0, 1):
        for right in (0, 1):
            row, column = (rows + down).clamp(max=height - 1), (columns + right).clamp(max=width - 1)
            seen = away[inside] < depth[row, column] + 0.02  # a line on a picture's edge is as far as the picture
            image[:, row[seen], column[seen]] = color[:, None].to(image)
