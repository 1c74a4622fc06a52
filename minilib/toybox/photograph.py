"""Pictures of your own meshes for the models of views: `python -m minilib.toybox.photograph MESH ... --folder FOLDER`.

Every mesh gets a folder of its name in FOLDER, with pictures and a `transforms.json`, as `--set data=` of the recipes
wants them.
"""

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from tqdm import tqdm

from minilib.images import to_uint8
from minilib.toybox.files import load_mesh
from minilib.toybox.render import Item, Stage, View
from minilib.views.cameras import Camera, random_orbit

ELEVATION = (math.radians(-5), math.radians(55))
"""Lowest and highest camera, as for toys."""


def photograph(items: Sequence[Item], camera: Camera, folder: Path, *, image_size: int = 64) -> None:
    """Writes pictures of an object and where they were taken from: what `PosedImages` reads.

    Args:
        items: the object, such as from `load_mesh`.
        camera: m cameras (m,) of one lens, which is as wide across as down and has its axis in the middle.
        folder: where to; it is made.
        image_size: width and height in pixels.
    Raises:
        FileExistsError: the folder holds a `transforms.json`.
        ValueError: cameras of several lenses, or of another one.
    """
    file, lens = folder / "transforms.json", camera.intrinsics[0]
    if file.exists():
        raise FileExistsError(f"{file} exists: choose another folder, or remove it first")
    plain = torch.stack([lens[0, 0], lens[0, 0], lens.new_tensor(0.5), lens.new_tensor(0.5)])
    found = torch.stack([camera.intrinsics[:, row, column] for row, column in ((0, 0), (1, 1), (0, 2), (1, 2))], 1)
    if not torch.allclose(found, plain.expand_as(found), atol=1e-6):
        raise ValueError(f"expected one lens, fx = fy and (cx, cy) = (0.5, 0.5), got {found.tolist()}")
    folder.mkdir(parents=True, exist_ok=True)
    stage, frames = Stage(items), []
    for number in range(len(found)):
        view, name = stage.render(camera[number], image_size=image_size), f"{number:03}"
        _picture(view).save(folder / f"{name}.png")
        opengl = view.camera.camera_to_world @ torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64))
        frames.append({"file_path": f"./{name}", "transform_matrix": opengl.tolist()})
    told = {"camera_angle_x": 2 * math.atan(0.5 / float(lens[0, 0])), "frames": frames}
    file.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def _picture(view: View) -> Image.Image:
    """With transparency, so that on white it is the view again."""
    alpha = view.alpha[None]
    colour = torch.where(alpha > 0, (view.rgb - (1 - alpha)) / alpha.clamp(min=1e-6), 1.0).clamp(-1, 1)
    covered = (alpha * 255).round().to(torch.uint8).movedim(0, -1)
    return Image.fromarray(torch.cat([to_uint8(colour), covered], dim=-1).numpy())


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m minilib.toybox.photograph", description=__doc__)
    parser.add_argument("meshes", type=Path, nargs="+", metavar="MESH", help="GLB, glTF, OBJ, PLY, STL or OFF")
    parser.add_argument("--folder", type=Path, required=True, help="of a split, such as mine/train")
    parser.add_argument("--views", type=int, default=12, help="of each mesh; default: 12")
    parser.add_argument("--image-size", type=int, default=64, help="in pixels; default: 64")
    parser.add_argument("--seed", type=int, default=0, help="of the cameras")
    options = parser.parse_args(arguments)
    folders = [options.folder / mesh.stem for mesh in options.meshes]
    for mesh, folder in zip(options.meshes, folders, strict=True):  # all of it before the first picture
        if not mesh.is_file():
            parser.error(f"expected a mesh file at {mesh}; there is none")
        if folders.count(folder) > 1:
            parser.error(f"expected meshes of different names, which name their folders; {mesh.stem} is there twice")
        if (folder / "transforms.json").exists():
            parser.error(f"{folder} holds a transforms.json: choose another folder, or remove it first")
    for number, (mesh, folder) in enumerate(zip(tqdm(options.meshes), folders, strict=True)):
        generator = torch.Generator().manual_seed(options.seed + number)
        cameras = random_orbit(options.views, generator, elevation=ELEVATION)
        photograph(load_mesh(mesh), cameras, folder, image_size=options.image_size)


if __name__ == "__main__":
    main()
