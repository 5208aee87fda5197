"""The generator's smaller parts: layers, materials, objects, folders, photo effects."""

import numpy as np
import pytest
from PIL import Image

from dimr.body.model import BodyModel
from dimr.data.synthetic import compose, looks, objects, paint
from dimr.data.synthetic.background import photo_background, procedural_background
from dimr.data.synthetic.figure import Tailor, vertex_normals
from dimr.data.synthetic.folders import load_folder
from dimr.data.synthetic.photo import degrade
from dimr.data.synthetic.textures import TextureBank
from dimr.surface.atlas import load_atlas

BODY = BodyModel.load()
TAILOR = Tailor(BODY, load_atlas())
MARKS = TAILOR.landmarks


@pytest.fixture(scope="module")
def bank() -> TextureBank:
    return TextureBank(np.random.default_rng(0))


class TestLayers:
    def test_visible_person_by_hand(self):
        """Three pixels: 0 alone; 1 before 0; an object before both; the last beyond the edge."""
        depths = np.full((2, 1, 4), np.inf, np.float32)
        depths[0, 0] = 2
        depths[1, 0, 1:3] = 1
        covers = np.array([[[False, False, True, False]]])
        inside = np.array([[True, True, True, False]])
        person, visible, alone = compose.visible_person(depths, covers, np.array([0.5]), inside)
        assert person.tolist() == [[0, 1, -1, -1]]
        assert visible.tolist() == [1, 1] and alone.tolist() == [3, 2]

    def test_object_behind_hides_nobody(self):
        depths = np.ones((1, 1, 1), np.float32)
        everywhere = np.ones((1, 1, 1), np.bool_)
        person, _, _ = compose.visible_person(depths, everywhere, np.array([3.0]), everywhere[0])
        assert person[0, 0] == 0

    def test_halve_cover_needs_half_of_four_pixels(self):
        alpha = np.zeros((2, 6), np.uint8)
        alpha[0, 0] = 255  # a quarter
        alpha[:, 2] = 255  # a half
        alpha[:, 4:] = 255
        assert compose.halve_cover(alpha).tolist() == [[False, True, True]]

    def test_cover_picture_blends_and_takes_the_label(self):
        image = np.zeros((1, 3, 3), np.uint8)
        person = np.zeros((1, 3), np.int8)
        depth = np.array([[2.0, 2.0, 0.5]], np.float32)
        alpha = np.array([[255, 100, 255]], np.uint8)
        colours = np.full((1, 3, 3), 200, np.uint8)
        compose.cover_picture(image, person, depth, alpha, colours, 1.0)
        assert image[0, :, 0].tolist() == [200, 78, 0]
        assert person.tolist() == [[-1, 0, 0]]

    def test_boxes_of_nobody(self):
        boxes, centres = compose.visible_boxes(np.full((4, 4), -1, np.int8), 0)
        assert boxes.shape == (0, 4) and centres.shape == (0, 2)


class TestLooks:
    def test_landmarks_are_in_order(self):
        heights = [float(MARKS[name]) for name in
                   ("ground_y", "ankle_y", "knee_y", "hip_y", "waist_y", "chest_y", "neck_y",
                    "chin_y")]  # fmt: skip
        assert heights == sorted(heights)
        assert 0 < MARKS["shoulder_x"] < MARKS["elbow_x"] < MARKS["wrist_x"]

    def test_materials_of_a_dressed_person(self):
        """Somebody in a long-sleeved shirt, long trousers and shoes, with short hair."""
        look = np.zeros((), looks.LOOK)
        look["hairline"], look["hair_side"], look["hair_back"] = 0.85, 0.42, 0.1
        look["cap_line"], look["neckline_m"] = 9, 0.03
        look["hem_y_m"], look["sleeve_x_m"] = MARKS["hip_y"], MARKS["wrist_x"] - 0.02
        look["leg_y_m"], look["shoe_y_m"] = MARKS["ankle_y"], MARKS["ankle_y"] - 0.01
        top = MARKS["chin_y"] + 0.98 * MARKS["head_height"]
        nose = MARKS["chin_y"] + 0.35 * MARKS["head_height"]
        front = MARKS["head_z"] + MARKS["head_half_depth"]
        cases = [
            ((0, top, MARKS["head_z"], 15), paint.HAIR),
            ((0, nose, front, 15), paint.SKIN),
            ((0, nose, MARKS["head_z"] - MARKS["head_half_depth"], 15), paint.HAIR),
            ((0, MARKS["chest_y"], 0.1, 9), paint.SHIRT),
            ((MARKS["elbow_x"], MARKS["neck_y"] - 0.05, 0, 18), paint.SHIRT),
            ((MARKS["wrist_x"] + 0.05, MARKS["neck_y"] - 0.05, 0, 20), paint.SKIN),
            ((0.1, MARKS["knee_y"], 0, 4), paint.LEGS),
            ((0.1, MARKS["ground_y"] + 0.02, 0.1, 10), paint.SHOES),
        ]
        for (x, y, z, part), wanted in cases:
            assert paint.material(float(x), float(y), float(z), part, look[()], MARKS) == wanted

    def test_front_and_back_of_a_head_differ(self):
        """Facing must be visible, whoever it is: only a few are bald all round."""
        rng = np.random.default_rng(0)
        noise = np.full((4, 4), 128, np.uint8)
        height = float(MARKS["chin_y"] + 0.5 * MARKS["head_height"])
        ends = [float(MARKS["head_z"] + side * MARKS["head_half_depth"]) for side in (1, -1)]
        differ = 0
        for _ in range(100):
            look = looks.sample_look(rng, MARKS)
            colours = [paint.colour(0.0, height, z, 15, look, MARKS, noise) for z in ends]
            differ += np.abs(np.subtract(*colours)).max() > 25
        assert differ > 80

    def test_clothes_are_thin_and_outside(self):
        rng = np.random.default_rng(1)
        for _ in range(20):
            pushed = TAILOR.dress(looks.sample_look(rng, MARKS))
            outwards = (pushed * TAILOR.normals_rest).sum(1)
            assert outwards.min() >= 0 and outwards.max() < 0.13


class TestFigure:
    def test_bare_figure_is_the_body_model(self):
        import torch

        rng = np.random.default_rng(0)
        rotmats = np.linalg.qr(rng.standard_normal((24, 3, 3)))[0]
        rotmats *= np.sign(np.linalg.det(rotmats))[:, None, None]
        betas = rng.standard_normal(10)
        figure = TAILOR.figure(rotmats, betas)
        body = BODY(
            torch.tensor(rotmats[None], dtype=torch.float32),
            torch.tensor(betas[None], dtype=torch.float32),
        )
        np.testing.assert_allclose(figure.joints_m, body.joints_m[0].numpy(), atol=1e-5)
        gap = np.abs(figure.vertices_m - body.vertices_m[0].numpy())
        assert gap.max() < 2e-3 and np.median(gap) < 1e-5

    def test_normals_of_a_tetrahedron_point_outwards(self):
        vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
        faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)
        normals = vertex_normals(vertices, faces)
        assert ((vertices - vertices.mean(0)) * normals).sum(1).min() > 0.2
        np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-6)


class TestObjects:
    @pytest.mark.parametrize("seed", range(8))
    def test_coverage_scales_with_the_picture(self, seed):
        rng = np.random.default_rng(seed)
        thing = objects.sample_occluder(rng, np.zeros(2), 0.5, 1.0, [])
        small, large = thing.coverage(64) >= 128, thing.coverage(256) >= 128
        assert small.mean() == pytest.approx(large.mean(), rel=0.25, abs=0.025)
        assert 0.01 < large.mean() < 0.6

    def test_cut_out_lands_where_it_is_put(self, bank):
        picture = np.zeros((20, 40, 4), np.uint8)
        picture[..., 0], picture[..., 3] = 200, 255
        rng = np.random.default_rng(0)
        things = [
            objects.sample_occluder(rng, np.array([0.5, -0.5]), 0.3, 1.0, [picture])
            for _ in range(20)
        ]
        thing = next(thing for thing in things if thing.picture is not None)
        rows, cols = np.nonzero(thing.coverage(100) >= 128)
        assert abs(cols.mean() - 74.5) < 1.5 and abs(rows.mean() - 24.5) < 1.5
        colours = thing.colours(rng, 100, bank, [])
        assert colours.shape == (100, 100, 3) and (colours[rows, cols, 1] == 0).all()

    def test_table_top_hides_all_below(self):
        rng = np.random.default_rng(3)
        cover = objects.table_top(rng, 0.0, 1.0).coverage(50) >= 128
        assert cover[:15].sum() == 0 and cover[-1].any()

    def test_contour_far_outside_covers_nothing(self):
        thing = objects.Occluder(np.full((4, 2), 1e6), None, None, 1.0)
        assert thing.coverage(32).sum() == 0


class TestPictures:
    def test_backgrounds_fill_the_picture(self, bank):
        photos = [np.full((30, 50, 3), 90, np.uint8)]
        for seed in range(10):
            rng = np.random.default_rng(seed)
            drawn = procedural_background(rng, 64, bank, horizon=seed / 5 - 0.5)
            assert drawn.shape == (64, 64, 3) and drawn.dtype == np.uint8
            assert photo_background(rng, 64, photos, bank).shape == (64, 64, 3)

    @pytest.mark.parametrize("size", [48, 192])
    def test_degrade_keeps_shape_and_type(self, bank, size):
        for seed in range(20):
            image = np.full((size, size, 3), 128, np.uint8)
            taken = degrade(np.random.default_rng(seed), image, bank)
            assert taken.shape == image.shape and taken.dtype == np.uint8


class TestFolders:
    def test_missing_folder_is_empty(self, tmp_path):
        assert load_folder(None, "RGB", 64) == []
        assert load_folder(tmp_path / "nothing", "RGB", 64) == []

    def test_order_shrinking_and_modes(self, tmp_path):
        Image.new("RGB", (200, 100), (10, 20, 30)).save(tmp_path / "b.png")
        Image.new("L", (8, 6), 77).save(tmp_path / "a.png")
        (tmp_path / "index.csv").write_text("no picture")
        first, second = load_folder(tmp_path, "RGB", 50)
        assert first.shape == (6, 8, 3) and (first == 77).all()
        assert second.shape == (25, 50, 3)
        assert load_folder(tmp_path, "RGBA", 50)[1].shape == (25, 50, 4)
