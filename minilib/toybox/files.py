"""Other people's data: pictures with cameras in the NeRF `transforms.json` convention, and meshes."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh
from PIL import Image, UnidentifiedImageError
from torch.utils.data import Dataset

from minilib.images import from_uint8
from minilib.toybox.render import Item
from minilib.toybox.shapes import Mesh, fitted, smooth_shaded

LENS = ("camera_angle_x", "fl_x", "fl_y", "cx", "cy", "w", "h")
DISTORTION = ("k1", "k2", "k3", "k4", "p1", "p2")
MESH_SUFFIXES = (".glb", ".gltf", ".obj", ".ply", ".stl", ".off")


class PosedImages(Dataset):
    """Pictures with known cameras, read from a folder with a `transforms.json` (Mildenhall et al. 2020, released data).

    Items are dicts: rgb (3, h, w) in [−1, 1], transparent pixels on white; alpha (h, w) in 0..1; camera_to_world (4, 4)
    turned from the file's OpenGL axes (x right, y up, z back) to OpenCV's; intrinsics (3, 3) in shares of the size.

    Args:
        path: the folder, or the .json file itself.
        image_size: pictures are resized to this width and height if given.
    Raises:
        FileNotFoundError: no such file, or a picture it names is missing.
        ValueError: the file is not JSON or lacks an entry, a matrix is not a rigid 4×4 transform.
    """

    def __init__(self, path: str | Path, *, image_size: int | None = None):
        path = Path(path)
        self.file = path / "transforms.json" if path.is_dir() else path
        if not self.file.exists():
            raise FileNotFoundError(f"expected a transforms.json at {self.file}; there is none")
        try:
            self.data: dict[str, Any] = json.loads(self.file.read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{self.file} is not JSON: {error}") from error
        frames = self.data.get("frames") if isinstance(self.data, dict) else None
        if not isinstance(frames, list) or not frames:
            raise ValueError(f"{self.file} has no list of 'frames'")
        if not all(isinstance(frame, dict) for frame in frames):
            raise ValueError(
                f"{self.file}: expected every frame to be an object with 'file_path' and 'transform_matrix'"
            )
        lens = [key for key in LENS if key in self.data]
        if any(not isinstance(self.data[key], int | float) or not self.data[key] > 0 for key in lens):
            raise ValueError(f"{self.file}: expected numbers above 0 for {', '.join(lens)}")
        if any(self.data.get(key, 0) for key in DISTORTION):
            raise ValueError(
                f"{self.file}: lens distortion ({', '.join(DISTORTION)}) is not supported; undistort first"
            )
        if self.data.get("camera_angle_x", 0) >= math.pi:
            raise ValueError(
                f"{self.file}: expected 'camera_angle_x' in radians, below pi, got {self.data['camera_angle_x']}"
            )
        if not any(key in self.data for key in ("camera_angle_x", "fl_x")):
            raise ValueError(f"{self.file} has neither 'camera_angle_x' (radians) nor 'fl_x' (pixels)")
        self.image_size = image_size
        self.images = [self._image(number, frame) for number, frame in enumerate(frames)]
        self.poses = [self._pose(number, frame) for number, frame in enumerate(frames)]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        try:
            picture = Image.open(self.images[index]).convert("RGBA")
        except (UnidentifiedImageError, OSError) as error:
            raise ValueError(f"{self.images[index]} is not a picture that can be read") from error
        intrinsics = self._intrinsics(*picture.size)
        if self.image_size is not None:
            picture = picture.resize((self.image_size, self.image_size), Image.Resampling.LANCZOS)
        values = torch.from_numpy(np.array(picture))
        alpha = values[..., 3].float() / 255
        rgb = from_uint8(values[..., :3])
        return {
            "rgb": rgb * alpha + (1 - alpha),
            "alpha": alpha,
            "camera_to_world": self.poses[index],
            "intrinsics": intrinsics,
        }

    def _image(self, number: int, frame: dict[str, Any]) -> Path:
        if not isinstance(frame.get("file_path"), str):
            raise ValueError(f"{self.file}: frame {number} has no 'file_path'")
        path = self.file.parent / frame["file_path"]
        for candidate in (path, *(path.parent / (path.name + suffix) for suffix in (".png", ".jpg", ".jpeg"))):
            if candidate.is_file():
                return candidate
        raise FileNotFoundError(f"{self.file}: frame {number} names {path}, which does not exist")

    def _pose(self, number: int, frame: dict[str, Any]) -> torch.Tensor:
        try:
            pose = torch.tensor(frame.get("transform_matrix"), dtype=torch.float64)
        except (TypeError, ValueError, RuntimeError):
            pose = torch.empty(0)
        if pose.shape != (4, 4):
            raise ValueError(f"{self.file}: frame {number} needs a 4×4 'transform_matrix'")
        rotation, identity = pose[:3, :3], torch.eye(4, dtype=torch.float64)
        off, turn = float((rotation @ rotation.T - identity[:3, :3]).abs().max()), float(torch.linalg.det(rotation))
        if not (off <= 1e-3 and turn > 0 and torch.equal(pose[3], identity[3]) and bool(pose.isfinite().all())):
            raise ValueError(
                f"{self.file}: the 'transform_matrix' of frame {number} is not a rotation R and a translation: R Rᵀ is"
                f" off from the identity by {off:.3g}, the determinant is {turn:.3g}, the last row {pose[3].tolist()}"
            )
        return pose @ torch.diag(pose.new_tensor([1.0, -1.0, -1.0, 1.0]))

    def _intrinsics(self, width: int, height: int) -> torch.Tensor:
        data = self.data
        width, height = data.get("w", width), data.get("h", height)
        fx = data["fl_x"] / width if "fl_x" in data else 0.5 / math.tan(0.5 * data["camera_angle_x"])
        fy = data["fl_y"] / height if "fl_y" in data else fx * width / height
        cx, cy = data.get("cx", width / 2) / width, data.get("cy", height / 2) / height
        return torch.tensor([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]], dtype=torch.float64)


def load_mesh(path: str | Path, *, radius: float = 0.96) -> list[Item]:
    """Reads a mesh file as coloured pieces that `Stage` can render, centred and scaled like a toy.

    Args:
        path: GLB, glTF, OBJ, PLY, STL or OFF; glTF's y-up is turned to z-up, other formats are taken as z-up.
        radius: of the bounding sphere the mesh is scaled to.
    Returns:
        One item for each colour in the file, with part ids from 1. Files of more than 255 colours, such as textured
        ones, are reduced to fewer by rounding.
    Raises:
        FileNotFoundError: no such file.
        ValueError: another kind of file, or one that cannot be read or holds no triangles.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"expected a mesh file at {path}; there is none")
    if path.suffix.lower() not in MESH_SUFFIXES:
        raise ValueError(f"expected a mesh file ({', '.join(MESH_SUFFIXES)}), got {path.name}")
    pieces: list[Mesh] = []
    colors: list[tuple[float, float, float]] = []
    try:
        scene = trimesh.load_scene(path)
        for node in scene.graph.nodes_geometry:
            transform, name = scene.graph[node]
            geometry = scene.geometry[name]
            if isinstance(geometry, trimesh.Trimesh) and len(geometry.faces):
                for piece, color in _by_color(geometry, transform):
                    pieces.append(piece.turned("x", 90) if path.suffix.lower() in (".glb", ".gltf") else piece)
                    colors.append(color)
    except Exception as error:  # trimesh's readers raise whatever their parsers do
        raise ValueError(f"{path} cannot be read as a mesh: {type(error).__name__}: {error}") from error
    if not pieces:
        raise ValueError(f"{path} holds no triangles with an area")
    pairs = zip(fitted(pieces, radius), colors, strict=True)
    return [Item(mesh, color, part_id=min(number, 255)) for number, (mesh, color) in enumerate(pairs, start=1)]


def _by_color(geometry: trimesh.Trimesh, transform: np.ndarray) -> list[tuple[Mesh, tuple[float, float, float]]]:
    """The triangles with an area, transformed by the 4×4 matrix, one mesh for each of their colours."""
    tint = _face_colors(geometry)
    triangles = trimesh.transform_points(geometry.vertices, transform)[geometry.faces]
    cross = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    solid = np.isfinite(cross).all(1) & (np.linalg.norm(np.nan_to_num(cross), axis=1) > 0)
    if not solid.any():
        return []
    shaded, tint = smooth_shaded(triangles[solid]), tint[solid]
    found = []
    for color in np.unique(tint, axis=0):
        faces = shaded.faces[(tint == color).all(1)]
        corners = faces.reshape(-1)
        mesh = Mesh(shaded.vertices[corners], shaded.normals[corners], np.arange(len(corners)).reshape(-1, 3))
        found.append((mesh, tuple((color / 255).tolist())))
    return found


def _face_colors(geometry: trimesh.Trimesh) -> np.ndarray:
    """Colour of each triangle, from faces, vertices, texture or material, at most 255 different ones: (f, 3) uint8."""
    visual: Any = geometry.visual
    if visual.kind != "texture":
        tint = np.asarray(visual.face_colors)
    elif visual.uv is None:
        tint = np.broadcast_to(visual.material.main_color, (len(geometry.faces), 4))
    else:
        tint = np.asarray(visual.to_color().vertex_colors)[geometry.faces].mean(1)
    tint = tint[:, :3].astype(np.uint8)
    step = 1
    while len(np.unique(tint, axis=0)) > 255:
        step *= 2
        tint = tint // step * step
    return tint
