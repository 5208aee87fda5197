"""Thins a triangle mesh to a subset of its own vertices.

Edges are contracted into one of their two ends (half-edge contraction), cheapest first, so every
survivor keeps its number, and with it its blend shapes, skin weights and texture coordinates. The
cost is the quadric error of Garland and Heckbert (1997) plus a term that keeps spacing even.

Texture seams and the open border survive: a vertex on one is only moved along it, and no texture
triangle changes its sign.
"""

import heapq

import numpy as np

SPACING_WEIGHT = 0.05
"""Share of squared edge length in the cost, beside the squared distance from the surface."""
MIN_NORMAL_COSINE = 0.3
"""A triangle's normal may turn by at most this much in one contraction."""
MAX_VALENCE = 9
MIN_ROUNDNESS = 0.12
"""Smallest 4 sqrt(3) area / (sum of squared sides) that a contraction may leave; 1 is equilateral.
A contraction that does not make the worst triangle worse is always allowed."""


class HalfEdgeMesh:
    """A mutable triangle mesh with texture corners, as lists that contraction edits in place."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray, corner_uv: np.ndarray):
        self.points = vertices
        self.faces = [list(map(int, face)) for face in faces]
        self.corners = [list(map(int, face)) for face in corner_uv]
        self.faces_of: list[set[int]] = [set() for _ in range(len(vertices))]
        for index, face in enumerate(self.faces):
            for vertex in face:
                self.faces_of[vertex].add(index)

    def neighbours(self, vertex: int) -> set[int]:
        """Vertices joined to one by an edge."""
        around = {v for face in self.faces_of[vertex] for v in self.faces[face]}
        around.discard(vertex)
        return around

    def shared_faces(self, a: int, b: int) -> set[int]:
        """Triangles on both sides of an edge."""
        return self.faces_of[a] & self.faces_of[b]

    def on_border(self, vertex: int) -> bool:
        """Whether the fan of triangles around a vertex is open."""
        return len(self.neighbours(vertex)) != len(self.faces_of[vertex])

    def corner(self, face: int, vertex: int) -> int:
        """Texture corner of a triangle at a vertex."""
        return self.corners[face][self.faces[face].index(vertex)]

    def corner_map(self, gone: int, kept: int) -> dict[int, int] | None:
        """Texture corner of `gone` to the one of `kept` it moves into; None if it has none."""
        mapping: dict[int, int] = {}
        for face in self.shared_faces(gone, kept):
            source, target = self.corner(face, gone), self.corner(face, kept)
            if mapping.setdefault(source, target) != target:
                return None
        if any(self.corner(face, gone) not in mapping for face in self.faces_of[gone]):
            return None
        return mapping

    def contract(self, gone: int, kept: int, corner_map: dict[int, int]) -> None:
        """Moves `gone` into `kept`, in place."""
        for face in sorted(self.shared_faces(gone, kept)):
            for vertex in self.faces[face]:
                self.faces_of[vertex].discard(face)
            self.faces[face] = []
        for face in sorted(self.faces_of[gone]):
            slot = self.faces[face].index(gone)
            self.faces[face][slot] = kept
            self.corners[face][slot] = corner_map[self.corners[face][slot]]
            self.faces_of[kept].add(face)
        self.faces_of[gone] = set()


def _roundness(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    area2 = np.linalg.norm(np.cross(b - a, c - a))
    sides = ((b - a) ** 2).sum() + ((c - b) ** 2).sum() + ((a - c) ** 2).sum()
    return 2 * np.sqrt(3) * area2 / max(sides, 1e-20)


def _may_contract(mesh: HalfEdgeMesh, uv: np.ndarray, gone: int, kept: int) -> bool:
    """Whether the mesh stays a manifold, unfolded on the surface and on the texture map."""
    shared = mesh.shared_faces(gone, kept)
    around_gone, around_kept = mesh.neighbours(gone), mesh.neighbours(kept)
    if len(around_gone & around_kept) != len(shared):
        return False
    gone_on_border = mesh.on_border(gone)
    if gone_on_border and len(shared) != 1:
        return False
    if mesh.on_border(kept) and not gone_on_border:
        # an inner edge between two border vertices would pinch the two mirrored halves together
        if any(mesh.on_border(v) for v in around_gone - around_kept - {kept}):
            return False
    if len(around_gone | around_kept) - 2 > MAX_VALENCE and len(around_gone) > 3:
        return False
    mapping = mesh.corner_map(gone, kept)
    if mapping is None:
        return False
    worst_before, worst_after = 1.0, 1.0
    for face in mesh.faces_of[gone]:
        old = mesh.points[mesh.faces[face]]
        worst_before = min(worst_before, _roundness(*old))
        if face in shared:
            continue
        slot = mesh.faces[face].index(gone)
        new = old.copy()
        new[slot] = mesh.points[kept]
        worst_after = min(worst_after, _roundness(*new))
        old_normal = np.cross(old[1] - old[0], old[2] - old[0])
        new_normal = np.cross(new[1] - new[0], new[2] - new[0])
        lengths = np.linalg.norm(old_normal) * np.linalg.norm(new_normal)
        if old_normal @ new_normal < MIN_NORMAL_COSINE * lengths + 1e-16:
            return False
        corners = list(mesh.corners[face])
        before = _signed_area(uv[corners])
        corners[slot] = mapping[corners[slot]]
        if before * _signed_area(uv[corners]) <= 0:
            return False
    return worst_after >= min(MIN_ROUNDNESS, worst_before)


def _signed_area(corners: np.ndarray) -> float:
    (ax, ay), (bx, by), (cx, cy) = corners
    return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)


def _quadrics(points: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Area-weighted plane quadrics (V, 4, 4) and a third of the area around each vertex (V,)."""
    corner = points[faces]
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    area = np.linalg.norm(normal, axis=1) / 2
    normal = normal / np.maximum(2 * area, 1e-20)[:, None]
    plane = np.concatenate([normal, -(normal * corner[:, 0]).sum(1, keepdims=True)], axis=1)
    per_face = plane[:, :, None] * plane[:, None, :] * (area / 3)[:, None, None]
    quadric = np.zeros((len(points), 4, 4))
    around = np.zeros(len(points))
    for slot in range(3):
        np.add.at(quadric, faces[:, slot], per_face)
        np.add.at(around, faces[:, slot], area / 3)
    return quadric, around


def decimate(
    points: np.ndarray,
    faces: np.ndarray,
    uv: np.ndarray,
    corner_uv: np.ndarray,
    region: np.ndarray,
    targets: dict[int, int],
) -> tuple[np.ndarray, np.ndarray]:
    """Contracts edges until every region has at most its target number of vertices.

    Args:
        points: (V, 3) positions in metres.
        faces: (F, 3) triangles of a manifold, open or closed.
        uv: (T, 2) texture coordinates.
        corner_uv: (F, 3) index into `uv` of each triangle's corners.
        region: (V,) number of the region of each vertex.
        targets: vertices to keep in each region; a region that is not named is left alone.

    Returns:
        Triangles and texture triangles that remain, in the numbering that came in.
    """
    mesh = HalfEdgeMesh(points, faces, corner_uv)
    quadric, area = _quadrics(points, faces)
    used = np.unique(faces)
    left = {name: int((region[used] == name).sum()) for name in targets}
    version = np.zeros(len(points), dtype=np.int64)

    def cost(gone: int, kept: int) -> float:
        place = np.append(points[kept], 1.0)
        length2 = ((points[gone] - points[kept]) ** 2).sum()
        error = place @ quadric[gone] @ place + SPACING_WEIGHT * area[gone] * length2
        return float(error)

    queue: list[tuple[float, int, int, int]] = []

    def push(gone: int) -> None:
        if region[gone] not in targets:
            return
        for kept in sorted(mesh.neighbours(gone)):
            heapq.heappush(queue, (cost(gone, kept), gone, kept, int(version[gone])))

    for vertex in used:
        push(int(vertex))
    while queue:
        _, gone, kept, stamp = heapq.heappop(queue)
        if version[gone] != stamp or left[region[gone]] <= targets[region[gone]]:
            continue
        if not mesh.shared_faces(gone, kept) or not _may_contract(mesh, uv, gone, kept):
            continue
        mapping = mesh.corner_map(gone, kept)
        assert mapping is not None
        touched = mesh.neighbours(gone)
        mesh.contract(gone, kept, mapping)
        quadric[kept] += quadric[gone]
        area[kept] += area[gone]
        left[region[gone]] -= 1
        version[gone] += 1
        for vertex in sorted(touched):
            version[vertex] += 1
            push(vertex)
    missed = {name: left[name] for name in targets if left[name] > targets[name]}
    if missed:
        raise RuntimeError(f"no contraction is left; vertices remaining by region: {missed}")
    keep = [index for index, face in enumerate(mesh.faces) if face]
    return (
        np.array([mesh.faces[index] for index in keep]),
        np.array([mesh.corners[index] for index in keep]),
    )
