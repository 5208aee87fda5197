"""The generator's smaller parts: layers, materials, objects, folders, photo effects."""

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from dimr.body.model import BodyModel
from dimr.data.synthetic import compose, looks, objects, paint, shapes, solids
from dimr.data.synthetic.background import photo_background, procedural_background
from dimr.data.synthetic.figure import Tailor
from dimr.data.synthetic.folders import load_folder
from dimr.data.synthetic.outfit import Dresser
from dimr.data.synthetic.photo import degrade
from dimr.data.synthetic.scenes import Scene, Scenery
from dimr.data.synthetic.shading import vertex_normals
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

    @pytest.mark.parametrize("style", [None, "dark", "bare"])
    def test_front_and_back_of_a_body_differ(self, style):
        """A picture's worth of points around head and trunk, front against back."""
        noise = np.full((4, 4), 128, np.uint8)
        told_apart = 0
        for seed in range(40):
            look = looks.sample_look(np.random.default_rng(seed), MARKS, style)
            gaps = []
            for x in np.linspace(-0.12, 0.12, 13):
                for y in np.linspace(MARKS["hip_y"], 0.7, 40):
                    part = 15 if y > MARKS["chin_y"] else 9
                    ends = [
                        paint.colour(float(x), float(y), float(MARKS["mid_z"] + z), part, look,
                                     MARKS, noise)
                        for z in (0.1, -0.1)
                    ]  # fmt: skip
                    gaps.append(np.abs(np.subtract(*ends)).max())
            told_apart += np.mean(np.array(gaps) > 20) > 0.04
        assert told_apart >= 38

    def test_dark_clothes_are_dark_all_over(self):
        noise = np.full((4, 4), 128, np.uint8)
        for seed in range(20):
            look = looks.sample_look(np.random.default_rng(seed), MARKS, "dark")
            for x, y, z, part in self._surface_points(seed):
                kind = paint.material(x, y, z, part, look, MARKS)
                if kind in (paint.SHIRT, paint.LEGS, paint.SHOES, paint.SOCKS):
                    assert max(paint.colour(x, y, z, part, look, MARKS, noise)) < 130
            covered = [
                max(paint.colour(x, y, z, part, look, MARKS, noise))
                for x, y, z, part in self._surface_points(seed)
                if paint.material(x, y, z, part, look, MARKS) in (paint.SHIRT, paint.LEGS)
            ]
            assert np.median(covered) < 50

    def test_bare_people_wear_something_thin_and_small(self):
        for seed in range(20):
            look = looks.sample_look(np.random.default_rng(seed), MARKS, "bare")
            kinds = [
                paint.material(x, y, z, part, look, MARKS)
                for x, y, z, part in self._surface_points(seed)
                if part not in (12, 15)
            ]
            assert set(kinds) <= {paint.SKIN, paint.SHIRT, paint.LEGS, paint.HAIR}
            assert 0.5 < np.mean(np.array(kinds) == paint.SKIN) < 0.98
            pushed = TAILOR.thicken(look)[~np.isin(TAILOR.part_of_vertex, (12, 15))]
            if look["hair_length_m"] == 0:
                assert np.abs(pushed).max() < 0.002

    def test_loose_clothes_are_thicker(self):
        def thickness(style):
            return np.mean(
                [
                    np.linalg.norm(TAILOR.thicken(
                        looks.sample_look(np.random.default_rng(seed), MARKS, style)
                    ), axis=1).mean()
                    for seed in range(20)
                ]
            )  # fmt: skip

        assert thickness("loose") > 1.8 * thickness(None)

    def test_unknown_style_is_refused(self):
        with pytest.raises(ValueError, match="style"):
            looks.sample_look(np.random.default_rng(0), MARKS, "festive")

    @staticmethod
    def _surface_points(seed: int):
        """Vertices here and there with the part that they belong to."""
        chosen = np.random.default_rng(seed).integers(0, len(TAILOR.template), 300)
        for v in chosen:
            x, y, z = TAILOR.template[v].astype(float).tolist()
            yield x, y, z, int(TAILOR.part_of_vertex[v])

    @pytest.mark.parametrize("style", [None, "dark", "loose", "bare"])
    def test_clothes_are_thin_and_outside(self, style):
        rng = np.random.default_rng(1)
        for _ in range(20):
            pushed = TAILOR.thicken(looks.sample_look(rng, MARKS, style))
            outwards = (pushed * TAILOR.normals_rest).sum(1)
            assert outwards.min() >= 0 and outwards.max() < 0.13


class TestFigure:
    def test_bare_figure_is_the_body_model(self):
        import torch

        rng = np.random.default_rng(0)
        rotmats = np.linalg.qr(rng.standard_normal((24, 3, 3)))[0]
        rotmats *= np.sign(np.linalg.det(rotmats))[:, None, None]
        betas = rng.standard_normal(10)
        figure = TAILOR.figure(rotmats, betas, Dresser(BODY, load_atlas()).dress([]))
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

    @pytest.mark.parametrize("shape", sorted(set(shapes.SHAPES), key=lambda shape: shape.__name__))
    def test_every_shape_has_its_colours_where_it_covers(self, shape, bank):
        """No piece is left the colour of the ground that the pieces are drawn on."""
        rng = np.random.default_rng(4)
        pieces = tuple(piece._replace(contour=piece.contour * 0.6) for piece in shape(rng))
        thing = objects.Occluder(None, None, None, 1.0, pieces)
        cover = thing.coverage(128)
        assert 0.01 < (cover >= 128).mean() < 0.5
        assert cover[0].max() == 0
        first, second = (thing.colours(np.random.default_rng(1), 128, bank, []) for _ in range(2))
        assert first.dtype == np.uint8 and (first == second).all()
        assert first[cover == 255].std() > 1

    def test_soft_outline_of_what_is_near(self):
        square = shapes.quad(-0.5, -0.5, 0.5, 0.5)
        sharp = objects.Occluder(square, None, None, 1.0).coverage(64)
        soft = objects.Occluder(square, None, None, 1.0, softness_norm=0.1).coverage(64)
        assert ((sharp > 5) & (sharp < 250)).mean() < 0.04
        assert ((soft > 5) & (soft < 250)).mean() > 0.15

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

    def test_scenery_does_not_depend_on_what_was_asked_before(self, bank):
        sceneries = [Scenery(np.random.default_rng(3), bank) for _ in range(2)]
        for seed in range(5):
            sceneries[1].pick(np.random.default_rng(100 + seed))
        for seed in range(6):
            first, second = (scenery.pick(np.random.default_rng(seed)) for scenery in sceneries)
            assert (first.image == second.image).all()
            assert first.horizon_px == second.horizon_px
            assert 0 < first.horizon_px < len(first.image)
            assert first.image.std() > 12

    @pytest.mark.parametrize("wanted", [0.3, 0.5, 0.7])
    def test_horizon_is_where_it_is_wanted(self, bank, wanted):
        """A scene that is white above and black below its horizon, nothing added to it."""

        class TwoTones(Scenery):
            def pick(self, rng):
                image = np.zeros((448, 384, 3), np.uint8)
                image[:200] = 255
                return Scene(image, 200.0)

        scenery = TwoTones(np.random.default_rng(0), bank)
        shares = []
        for seed in range(30):
            drawn = procedural_background(np.random.default_rng(seed), 96, bank, wanted, scenery)
            column = np.median(drawn[..., 1], axis=1)
            shares.append(np.argmin(column > 127) / 96)
        assert abs(np.median(shares) - wanted) < 0.03

    def test_background_with_scenery_is_repeated_exactly(self, bank):
        scenery = Scenery(np.random.default_rng(3), bank)
        first, second = (
            procedural_background(np.random.default_rng(8), 64, bank, 0.5, scenery)
            for _ in range(2)
        )
        assert (first == second).all()

    def test_dark_picture_is_dark_and_shows_something(self, bank):
        rng = np.random.default_rng(0)
        image = np.full((96, 96, 3), 90, np.uint8)
        image[:, 48:] = 180
        for _ in range(20):
            taken = degrade(rng, image, bank, dark=True).astype(float)
            assert 10 < taken.mean() < 70
            assert taken[:, 60:].mean() > 1.2 * taken[:, :36].mean()

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

    def test_formats_that_start_other_programs_are_not_opened(self, tmp_path):
        Image.new("RGB", (20, 20)).save(tmp_path / "a.eps")
        (tmp_path / "a.eps").rename(tmp_path / "a.jpg")
        with pytest.raises(UnidentifiedImageError):
            load_folder(tmp_path, "RGB", 50)


class TestSolids:
    def test_texture_fills_its_quadrilateral_and_nothing_else(self):
        image = np.zeros((40, 40, 3), np.uint8)
        corners = np.array([[10.0, 5], [29, 5], [29, 34], [10, 34]])
        texture = np.full((8, 8, 3), 100, np.uint8)
        texture[:, :4] = 200
        solids.texture_quad(image, corners, texture, 0.5)
        assert image[20, 12, 0] == 100 and image[20, 27, 0] == 50
        assert image[:, :9].max() == 0 and image[36:].max() == 0

    @pytest.mark.parametrize("place", [(-50.0, 5.0), (500.0, 500.0)])
    def test_nothing_is_drawn_outside(self, place):
        image = np.zeros((40, 40, 3), np.uint8)
        corners = np.array([[0, 0], [9, 0], [9, 9], [0, 9]]) + np.array(place)
        solids.texture_quad(image, corners, np.full((4, 4, 3), 9, np.uint8))
        solids.ball(image, np.array(place), np.full(2, 6.0), np.full(3, 200.0), 1.0)
        solids.contact_shadow(image, np.array(place), np.full(2, 6.0))
        assert image.max() == 0

    def test_light_comes_from_above_left(self):
        image = np.zeros((64, 64, 3), np.uint8)
        solids.ball(image, np.full(2, 32.0), np.full(2, 25.0), np.full(3, 200.0), 0.0)
        assert image[20, 22, 0] > image[32, 32, 0] > image[46, 44, 0] > 0
        image[:] = 0
        ends = np.array([32.0, 5]), np.array([32.0, 60])
        solids.column(image, *ends, np.full(2, 30.0), np.full(3, 200.0))
        assert image[30, 25, 0] > image[30, 44, 0] > 0

    def test_shadow_darkens_most_in_the_middle(self):
        image = np.full((40, 40, 3), 200, np.uint8)
        solids.contact_shadow(image, np.full(2, 20.0), np.array([15.0, 5]), 0.5)
        assert image[20, 20, 0] == 100 and image[20, 30, 0] > 120 and image[35, 20, 0] == 200
