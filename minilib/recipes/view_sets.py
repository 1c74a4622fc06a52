"""What models of views learn from and are measured on: toys, or folders of other people's objects; an item is some
views of one of them, with their cameras."""

from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from minilib.images import shown
from minilib.toybox.datasets import ToyViews
from minilib.toybox.files import PosedImages
from minilib.views.cameras import Camera
from minilib.views.inputs import check_sight
from minilib.views.relative import check_cameras


class ToySets(Dataset):
    """Toys with some views each. Items as those of `ToyViews`, with a leading axis of views, in float32.

    Args:
        split: see `ToyViews`.
        num_toys, first: which toys.
        views: of each.
        image_size: in pixels.
    """

    def __init__(self, split: str, *, num_toys: int, views: int, image_size: int, first: int = 0):
        fields = ("rgb", "alpha", "camera_to_world", "intrinsics")
        self.views = ToyViews(
            split, num_toys=num_toys, views_per_toy=views, image_size=image_size, first=first, fields=fields
        )

    def __len__(self) -> int:
        return len(self.views) // self.views.views_per_toy

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {name: value.float() for name, value in self.views.toy(index).items() if name in self.views.fields}


class FolderSets(Dataset):
    """A folder for each object, with a `transforms.json`. An item is some views of one of them, in float32.

    The views of an object are mixed, always in the same way. Every object gives as many items as its views go into, so
    that each view is in one of them at most. The origin of a file's world has to be the object's centre. Where a
    picture has no transparent pixel, what is not white counts as the object.

    Args:
        folder: of one split, with a folder for each object.
        image_size: pictures are resized to this width and height.
        views: in an item.
        extent: how far objects reach from the origin along an axis, in the files' units.
        once: whether an object gives one item only.
    Raises:
        FileNotFoundError: no such folder, no object in it, or a picture is missing.
        ValueError: an object with fewer views; cameras that are none, look away from the object or stand inside it;
            files that cannot be read (see `PosedImages`); an opaque picture whose edge is not white.
    """

    def __init__(self, folder: Path, *, image_size: int, views: int, extent: float, once: bool = False):
        if not folder.is_dir():
            raise FileNotFoundError(f"expected a folder of objects at {folder}; there is none")
        self.items: list[tuple[PosedImages, list[int]]] = []
        for path in sorted(path.parent for path in folder.glob("*/transforms.json")):
            images = PosedImages(path, image_size=image_size)
            if len(images) < views:
                raise ValueError(f"expected at least {views} views of each object, got {len(images)} in {path}")
            self._check(path, images, extent)
            mixed = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
            for rows in mixed.split(views)[: 1 if once else len(images) // views]:
                self.items.append((images, rows.tolist()))
        if not self.items:
            raise FileNotFoundError(f"expected folders with a transforms.json in {folder}; there is none")

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        images, rows = self.items[index]
        return {name: value.float() for name, value in default_collate([_view(images, row) for row in rows]).items()}

    def _check(self, path: Path, images: PosedImages, extent: float) -> None:
        lens = _view(images, 0)["intrinsics"]
        camera = Camera(torch.stack(images.poses), lens.expand(len(images), 3, 3))
        try:
            check_cameras(camera)
            check_sight(camera, extent)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error


def _view(images: PosedImages, row: int) -> dict[str, Tensor]:
    view = images[row]
    if bool((view["alpha"] < 1).any()):
        return view
    rgb = view["rgb"]
    edge = torch.cat([rgb[:, 0], rgb[:, -1], rgb[:, :, 0], rgb[:, :, -1]], dim=1)
    if shown(edge[:, None]).float().mean() > 0.5:
        raise ValueError(
            f"{images.images[row]}: expected transparent pixels or a white background, got an opaque picture whose edge"
            " is not white"
        )
    return view | {"alpha": shown(rgb).float()}
