"""Distances along the body's surface: how far a predicted surface point is from the true one.

Shortest paths over the mesh's edges and the diagonals of neighbouring faces overestimate by a few
per cent. Nearby pairs are tabulated for all vertices; distant ones by way of evenly spread
landmarks, which is exact to a few centimetres.
"""

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_matrix, vstack
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import KDTree

NEAR_M = 0.16
"""Up to here distances are tabulated for all pairs of vertices."""
NUM_LANDMARKS = 600
GPS_KAPPA_M = 0.255
"""Scale of DensePose's geodesic point similarity (Güler et al. 2018)."""


class Geodesics:
    """Geodesic distances on one mesh in its rest pose.

    Args:
        vertices_m: (V, 3).
        faces: (F, 3), one connected surface.
    """

    def __init__(
        self, vertices_m: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]
    ) -> None:
        self.vertices_m, self.faces = vertices_m.astype(np.float64), faces
        self._tree = KDTree(self.vertices_m)
        graph = self._graph()
        sheets = []
        for first in range(0, len(vertices_m), 512):
            rows = np.arange(first, min(first + 512, len(vertices_m)))
            distance = dijkstra(graph, indices=rows, limit=NEAR_M)
            distance[~np.isfinite(distance)] = 0
            sheets.append(csr_matrix(distance.astype(np.float32)))
        self._near = csr_matrix(vstack(sheets))
        self._landmark, table = self._landmarks(graph)
        self._table = table.astype(np.float32)

    def distance_m(
        self, points: Float[np.ndarray, "N 3"], others: Float[np.ndarray, "N 3"]
    ) -> Float[np.ndarray, "N"]:
        """Distance of each pair of points on the rest-pose surface."""
        straight = np.linalg.norm(points - others, axis=1)
        a, b = self._tree.query(points)[1], self._tree.query(others)[1]
        between = np.linalg.norm(self.vertices_m[a] - self.vertices_m[b], axis=1)
        near = np.asarray(self._near[a, b], np.float32).ravel()
        far = self._table[self._landmark[a], self._landmark[b]]
        # A tabulated zero is a pair that is not near, or a vertex and itself.
        path = np.where((near > 0) | (a == b), near, np.maximum(far, NEAR_M))
        return np.maximum(path + straight - between, straight)

    def _graph(self) -> csr_matrix:
        """Edges, and the diagonals across each edge between its two faces."""
        a, b, c = self.faces.T
        edges = np.stack([np.concatenate([a, b, c]), np.concatenate([b, c, a])], axis=1)
        opposite = np.concatenate([c, a, b])
        key = np.sort(edges, axis=1)
        order = np.lexsort((key[:, 1], key[:, 0]))
        twins = (key[order[1:]] == key[order[:-1]]).all(1)
        diagonals = np.stack([opposite[order[1:]][twins], opposite[order[:-1]][twins]], axis=1)
        pairs = np.unique(np.sort(np.concatenate([edges, diagonals]), axis=1), axis=0)
        ends = self.vertices_m[pairs]
        length = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1)
        size = (len(self.vertices_m),) * 2
        half = csr_matrix((np.maximum(length, 1e-9), pairs.T), size)
        return (half + half.T).tocsr()

    def _landmarks(self, graph: csr_matrix) -> tuple[np.ndarray, np.ndarray]:
        """Nearest landmark of each vertex, and distances between landmarks."""
        chosen, reach = [0], np.full(len(self.vertices_m), np.inf)
        for _ in range(min(NUM_LANDMARKS, len(self.vertices_m)) - 1):
            gap = np.linalg.norm(self.vertices_m - self.vertices_m[chosen[-1]], axis=1)
            reach = np.minimum(reach, gap)
            chosen.append(int(reach.argmax()))
        distance = dijkstra(graph, indices=chosen)
        return distance.argmin(0), distance[:, chosen]


def geodesic_point_similarity(distance_m: Float[np.ndarray, "N"]) -> Float[np.ndarray, "N"]:
    """1 for the right point, falling with the geodesic distance (DensePose's GPS of one point)."""
    return np.exp(-(distance_m**2) / (2 * GPS_KAPPA_M**2))
