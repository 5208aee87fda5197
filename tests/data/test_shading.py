import numpy as np
import pytest

from dimr.data.synthetic import looks, shading
from dimr.data.synthetic.anatomy import rotation

SIZE = 64


def lights(ambient: float, *lamps) -> np.ndarray:
    rows = [[0, -1.0, 0, ambient, ambient, ambient]]
    return np.array([*rows, *lamps], np.float64)


class TestContactShade:
    def test_flat_surface_stays_bright(self):
        shade = shading.contact_shade(np.full((SIZE, SIZE), 3, np.float32))
        np.testing.assert_allclose(shade, 1)

    def test_darkens_beside_what_is_a_little_nearer(self):
        depth = np.full((SIZE, SIZE), 3, np.float32)
        depth[:, :32] = 2.8
        shade = shading.contact_shade(depth)
        assert shade[32, 33] < 0.9 and shade[32, 60] == 1 and shade[32, 5] == 1

    def test_far_gaps_and_nobody_cast_nothing(self):
        depth = np.full((SIZE, SIZE), np.inf, np.float32)
        depth[:, :32] = 2
        depth[:32, 32:] = 5
        np.testing.assert_allclose(shading.contact_shade(depth), 1)


class TestFloorShadow:
    def test_darkens_only_around_the_spot(self):
        image = np.full((SIZE, SIZE, 3), 200, np.uint8)
        shading.floor_shadow(image, [(32.0, 48.0, 20.0)], 0.5)
        assert image[48, 32, 0] < 140 and (image[:30] == 200).all()

    def test_no_spot_leaves_the_picture(self):
        image = np.full((SIZE, SIZE, 3), 200, np.uint8)
        shading.floor_shadow(image, [], 0.5)
        assert (image == 200).all()

    def test_spots_far_outside_are_harmless(self):
        image = np.full((SIZE, SIZE, 3), 200, np.uint8)
        shading.floor_shadow(image, [(1e6, -1e6, 1e5), (-400.0, 3.0, 5.0)], 0.5)
        assert (image == 200).all()


def test_sky_is_up():
    rows = shading.sample_lights(np.random.default_rng(0), rotation(0, 180.0))
    np.testing.assert_allclose(rows[shading.SKY, :3], [0, -1, 0], atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(rows[:, :3], axis=1), 1)


class Quad:
    """One textured square that fills the picture, facing the camera."""

    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    template = np.zeros((4, 3), np.float32)
    texture_uv = np.array([[[0, 0], [0, 1], [1, 1]], [[0, 0], [1, 1], [1, 0]]], np.float32)
    texture_of_face = np.zeros(2, np.int16)
    textures = np.full((1, 8, 8, 4), 100, np.uint8)

    def paint(self, normal, lamps, bright=1.0, dye=((1, 1, 1), (0, 0, 0))):
        image = np.zeros((2, 2, 3), np.uint8)
        face = np.zeros((2, 2), np.int32)
        bary = np.full((2, 2, 3), 1 / 3, np.float32)
        person = np.array([[0, 0], [1, -1]], np.int32)
        shading.paint_person(
            image, face, bary, person, 0, self.faces, 0, np.zeros(2, np.int64), self.template,
            np.tile(np.float32(normal), (4, 1)), np.zeros((), looks.LOOK)[()],
            np.zeros((), looks.LANDMARKS)[()], np.zeros((8, 8), np.uint8), self.texture_uv,
            self.texture_of_face, self.textures, np.array([dye], np.float32), lamps,
            np.full((2, 2), bright, np.float32),
        )  # fmt: skip
        return image


class TestPaintPerson:
    def test_only_the_person_is_painted(self):
        image = Quad().paint((0, 0, -1), lights(1.0))
        assert (image[0] > 0).all() and (image[1] == 0).all()

    def test_lamp_adds_lambert(self):
        lamp = [0, 0, -1.0, 0.5, 0.0, 0.0]
        plain = Quad().paint((0, 0, -1), lights(1.0))[0, 0].astype(int)
        lit = Quad().paint((0, 0, -1), lights(1.0, lamp))[0, 0].astype(int)
        np.testing.assert_allclose(plain, [75, 75, 75], atol=1)  # the sky from the side: 0.75
        np.testing.assert_allclose(lit - plain, [50, 0, 0], atol=1)

    def test_skyward_is_brighter(self):
        up = Quad().paint((0, -1, 0), lights(1.0))[0, 0, 0]
        down = Quad().paint((0, 1, 0), lights(1.0))[0, 0, 0]
        np.testing.assert_allclose([up, down], [100, 50], atol=1)

    def test_inside_of_cloth_is_darker(self):
        front, inside = (Quad().paint((0, 0, z), lights(1.0))[0, 0, 0] for z in (-1, 1))
        assert inside == int(front * shading.INSIDE_OUT)

    def test_dye_and_shade(self):
        image = Quad().paint((0, -1, 0), lights(1.0), 0.5, ((0.5, 1, 1), (10, 0, 20)))
        np.testing.assert_allclose(image[0, 0], [30, 50, 60], atol=1)


def test_transparent_texels_show_what_is_below():
    quad = Quad()
    textures = quad.textures.copy()
    textures[..., 3] = 255
    textures[0, :, :4, 3] = 0  # the left half is a hole
    depth, face = np.full((1, 2), 5, np.float32), np.full((1, 2), 7, np.int32)
    bary, person = np.zeros((1, 2, 3), np.float32), np.full((1, 2), 3, np.int32)
    new_bary = np.array([[[0.9, 0.1, 0.0], [0.0, 0.1, 0.9]]], np.float32)  # u = 0, u = 0.9
    shading.keep_opaque(
        depth, face, bary, person, np.full((1, 2), 4, np.float32), np.zeros((1, 2), np.int32),
        new_bary, 1, quad.texture_uv, quad.texture_of_face, textures,
    )  # fmt: skip
    np.testing.assert_array_equal(depth, [[5, 4]])
    np.testing.assert_array_equal(face, [[7, 0]])
    np.testing.assert_array_equal(person, [[3, 1]])
    np.testing.assert_array_equal(bary[0, 1], new_bary[0, 1])


@pytest.mark.parametrize("nearer", [True, False])
def test_cut_out_behind_something_stays_behind(nearer):
    quad = Quad()
    textures = quad.textures.copy()
    textures[..., 3] = 255
    depth, face = np.full((1, 1), 5, np.float32), np.full((1, 1), 7, np.int32)
    bary, person = np.zeros((1, 1, 3), np.float32), np.zeros((1, 1), np.int32)
    new_depth = np.full((1, 1), 4 if nearer else 5, np.float32)
    shading.keep_opaque(
        depth, face, bary, person, new_depth, np.zeros((1, 1), np.int32),
        np.full((1, 1, 3), 1 / 3, np.float32), 1, quad.texture_uv, quad.texture_of_face, textures,
    )  # fmt: skip
    assert (face[0, 0] == 0) == nearer
