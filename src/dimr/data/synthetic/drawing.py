"""Dressed people -> pixels: each alone on the labels' grid, all together on the picture's."""

import numpy as np
from jaxtyping import UInt8

from dimr.body.camera import NEAR_M
from dimr.data.synthetic import compose, shading
from dimr.data.synthetic.figure import Tailor
from dimr.data.synthetic.samples import DenseLabels
from dimr.data.synthetic.staging import Placed, Window, to_pixels
from dimr.surface.atlas import Atlas
from dimr.surface.raster import z_draw


class Layer:
    """Depth, face, barycentrics and person of each pixel of a square picture."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.depth = np.empty((size, size), np.float32)
        self.face = np.empty((size, size), np.int32)
        self.bary = np.empty((size, size, 3), np.float32)
        self.person = np.empty((size, size), np.int32)
        self._scratch: Layer | None = None

    def clear(self) -> None:
        """Nothing drawn. Faces and barycentrics are meant where a person is, so they may stay."""
        self.depth.fill(np.inf)
        self.person.fill(-1)

    def draw(
        self, placed: Placed, window: Window, who: int, textures: UInt8[np.ndarray, "T n n 4"]
    ) -> None:
        """Draws a dressed person over what is there; the nearest surface wins."""
        outfit = placed.dressed.outfit
        points = to_pixels(
            placed.figure.vertices_m, placed.translation_m, window.centre[0], window.centre[1],
            window.side, self.size,
        )  # fmt: skip
        body, opaque = outfit.num_body_faces, placed.dressed.num_opaque_faces
        buffers = (self.depth, self.face, self.bary, self.person)
        z_draw(points, outfit.faces[:body], *buffers, who, True, True, NEAR_M, 0)
        if opaque > body:
            z_draw(points, outfit.faces[body:opaque], *buffers, who, True, False, NEAR_M, body)
        if len(outfit.faces) > opaque:
            self._draw_cut_out(points, placed.dressed, who, textures)

    def _draw_cut_out(self, points, dressed, who, textures) -> None:
        """Faces whose textures have holes: hair."""
        if self._scratch is None:
            self._scratch = Layer(self.size)
        new, outfit, opaque = self._scratch, dressed.outfit, dressed.num_opaque_faces
        new.depth[:] = self.depth
        z_draw(
            points, outfit.faces[opaque:], new.depth, new.face, new.bary, new.person, who,
            True, False, NEAR_M, opaque,
        )  # fmt: skip
        shading.keep_opaque(
            self.depth, self.face, self.bary, self.person, new.depth, new.face, new.bary, who,
            outfit.texture_uv, outfit.texture_of_face, textures,
        )  # fmt: skip

    def paint(
        self,
        image: UInt8[np.ndarray, "S S 3"],
        people: list[Placed],
        tailor: Tailor,
        textures: UInt8[np.ndarray, "T n n 4"],
        noise: np.ndarray,
        lights: np.ndarray,
    ) -> None:
        """Colours everybody's pixels of a picture in place."""
        shade = shading.contact_shade(self.depth)
        for who, placed in enumerate(people):
            dressed = placed.dressed
            outfit = dressed.outfit
            normals = shading.vertex_normals(placed.figure.vertices_m, outfit.faces)
            shading.paint_person(
                image, self.face, self.bary, self.person, who, outfit.faces,
                outfit.num_body_faces, outfit.part_of_face, outfit.template_m, normals,
                dressed.look, tailor.landmarks, noise, outfit.texture_uv,
                outfit.texture_of_face, textures, dressed.dyes, lights, shade,
            )  # fmt: skip


class AloneLayers:
    """Each person of a sample drawn alone on the labels' grid.

    Args:
        size: side of the labels' grid.
        most: largest number of people in a sample.
        atlas: where labels lie.
        template: (V, 3) rest-pose positions of the body.
    """

    def __init__(self, size: int, most: int, atlas: Atlas, template: np.ndarray) -> None:
        self._atlas, self._template = atlas, template
        self.layers = [Layer(size) for _ in range(most)]
        self.depth = np.empty((most, size, size), np.float32)
        """(P, h, w) depth of each person, inf where it is not."""
        for layer, depth in zip(self.layers, self.depth, strict=True):
            layer.depth = depth

    def draw(
        self, people: list[Placed], window: Window, textures: UInt8[np.ndarray, "T n n 4"]
    ) -> None:
        """Draws person k on layer k."""
        for placed, layer in zip(people, self.layers, strict=False):
            layer.clear()
            layer.draw(placed, window, 0, textures)

    def labels(self, person: np.ndarray, people: list[Placed], layers: list[int]) -> DenseLabels:
        """Labels of the visible people.

        Args:
            person: (h, w) int8; k where person `layers[k]` is visible, -1 where nobody is.
            people: as drawn.
            layers: whose pixels are wanted.
        """
        part = np.zeros(person.shape, np.uint8)
        uv = np.zeros((*person.shape, 2), np.float32)
        position = np.zeros((*person.shape, 3), np.float32)
        for who, number in enumerate(layers):
            layer, outfit = self.layers[number], people[number].dressed.outfit
            compose.write_labels(
                person, who, layer.face, layer.bary, outfit.corner_uv, outfit.corner_position_m,
                outfit.nearest_corner, outfit.densepose_of_face, part, uv, position,
            )  # fmt: skip
            cloth = (person == who) & (layer.face >= outfit.num_body_faces)
            if cloth.any():
                # Between the corners of a cloth triangle the map may leave the skin: back onto it.
                face, bary = self._atlas.uv_to_surface(uv[cloth])
                part[cloth] = self._atlas.densepose_of_face[face]
                uv[cloth] = self._atlas.surface_to_uv(face, bary)
                corners = self._template[self._atlas.faces[face]]
                position[cloth] = np.einsum("nk,nkc->nc", bary, corners)
        return DenseLabels(person, part, uv, position)
