"""Which triangle does a ray meet first? Embree answers; where it has no wheel, trimesh's own intersector does."""

import sys

import numpy as np
import trimesh
from trimesh.ray.ray_triangle import RayMeshIntersector


class RayCaster:
    """First and any hits among triangles (f, 3, 3): Embree, or trimesh's own intersector where Embree has no wheel."""

    _told = False

    def __init__(self, triangles: np.ndarray, *, embree: bool = True):
        self._triangles = triangles
        try:
            if not embree:
                raise ImportError
            from embreex.mesh_construction import TriangleMesh
            from embreex.rtcore_scene import EmbreeScene
        except ImportError:
            if embree and not RayCaster._told:
                RayCaster._told = True
                print("embreex is not installed: rendering with trimesh's slower ray caster", file=sys.stderr)
            soup = trimesh.Trimesh(
                triangles.reshape(-1, 3), np.arange(3 * len(triangles)).reshape(-1, 3), process=False
            )
            self._scene, self._slow = None, RayMeshIntersector(soup)
        else:
            self._scene, self._slow = EmbreeScene(), None
            TriangleMesh(self._scene, np.ascontiguousarray(triangles, dtype=np.float32))

    def first(
        self, origin: np.ndarray, directions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The nearest triangle along rays (n, 3) from one origin (3,).

        Returns:
            Its index, −1 where there is none; the distance in units of the direction's length; the hit's barycentric
            coordinates towards corners 1 and 2: four arrays (n,).
        """
        if self._scene is not None and len(directions):
            origins = np.ascontiguousarray(np.broadcast_to(origin, directions.shape), dtype=np.float32)
            found = self._scene.run(origins, np.ascontiguousarray(directions, dtype=np.float32), output=1)
            return found["primID"], found["tfar"], found["u"], found["v"]
        face = self._nearest(np.broadcast_to(origin, directions.shape), directions)
        corner = self._triangles[face]
        edges = corner[:, 1:] - corner[:, :1]
        normal = np.cross(edges[:, 0], edges[:, 1])
        depth = dot(normal, corner[:, 0] - origin) / dot(normal, directions)
        inside = origin + depth[:, None] * directions - corner[:, 0]
        u = dot(np.cross(inside, edges[:, 1]), normal) / dot(normal, normal)
        v = dot(np.cross(edges[:, 0], inside), normal) / dot(normal, normal)
        return face, depth.astype(np.float32), u.astype(np.float32), v.astype(np.float32)

    def any(self, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """Whether each ray meets something; (n, 3), (n, 3) → (n,) bool."""
        if self._scene is not None and len(origins):
            return self._scene.run(origins, directions, query="OCCLUDED") >= 0
        return self._nearest(origins, directions) >= 0

    def _nearest(self, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
        if self._slow is None or len(origins) == 0:
            return np.empty(0, np.int64)
        return self._slow.intersects_first(origins, directions)


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Row by row, (n, 3), (n, 3) → (n,)."""
    return np.einsum("ij,ij->i", a, b)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.sqrt(dot(vectors, vectors))[:, None]
