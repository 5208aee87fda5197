"""Garments: the file, its refusals, anchors on the right side, and dressed bodies."""

import numpy as np
import pytest

from dimr.assets import asset_path
from dimr.body.model import BodyModel
from dimr.data.synthetic import outfit as outfit_module
from dimr.data.synthetic.outfit import Dresser
from dimr.data.synthetic.wardrobe import SPLITS, Wardrobe, dye
from dimr.surface.atlas import load_atlas
from dimr.surface.layouts import shuffled_atlas

BODY, ATLAS = BodyModel.load(), load_atlas()
WARDROBES = {split: Wardrobe.load(split) for split in SPLITS}
GARMENTS = [garment for wardrobe in WARDROBES.values() for garment in wardrobe.garments]
WEIGHTS = BODY.weights.numpy()
TEMPLATE = BODY.v_template.numpy()
LEFT_LEG, RIGHT_LEG, LEFT_ARM, RIGHT_ARM = [1, 4, 7, 10], [2, 5, 8, 11], [18, 20, 22], [19, 21, 23]


def by_name(name):
    return next(garment for garment in GARMENTS if garment.name == name)


def anchors(garment):
    """Places on the mean body and skin weights of the anchors."""
    corners, bary = ATLAS.faces[garment.anchor_face], garment.anchor_bary
    places = np.einsum("vki,vk->vi", TEMPLATE[corners], bary)
    return places, np.einsum("vkj,vk->vj", WEIGHTS[corners], bary)


@pytest.fixture(scope="module")
def dresser():
    return Dresser(BODY, ATLAS)


class TestFile:
    def test_splits_are_disjoint_and_complete(self):
        """Each split has something for the trunk, the feet and the head, and shares nothing."""
        names = [garment.name for garment in GARMENTS]
        assert len(set(names)) == len(names)
        for wardrobe in WARDROBES.values():
            assert {"suit", "shoes", "hair"} <= {g.kind for g in wardrobe.garments}
            covers = {garment.covers for garment in wardrobe.garments}
            assert {"top", "bottom"} <= covers

    def test_indices_stay_within(self):
        for garment in GARMENTS:
            assert garment.faces.max() == len(garment.template_m) - 1
            assert garment.anchor_face.max() < len(ATLAS.faces)
            assert garment.texture < len(WARDROBES["train"].textures)
            assert 0 <= garment.texture_uv.min() and garment.texture_uv.max() <= 1

    def test_shares_sum_to_one(self):
        for garment in GARMENTS:
            np.testing.assert_allclose(garment.weight_val.sum(1), 1, atol=1e-6)
            np.testing.assert_allclose(garment.anchor_bary.sum(1), 1, atol=1e-6)
            assert (garment.weight_val >= 0).all() and (garment.anchor_bary >= 0).all()

    def test_only_covered_skin_is_hidden(self):
        """And hair, which has gaps, hides none."""
        for garment in GARMENTS:
            assert not (garment.hides & ~garment.covered).any()
            if garment.kind == "hair":
                assert not garment.hides.any()

    @pytest.mark.parametrize(
        ("name", "change", "message"),
        [
            ("faces", lambda a: a + 60000, "faces holds numbers"),
            ("weight_idx", lambda a: a + 24, "weight_idx holds numbers"),
            ("weight_val", np.zeros_like, "weight_val holds a row"),
            ("anchor_bary", lambda a: a[:, :2], "anchor_bary has shape"),
            ("template_m", lambda a: a * np.nan, "template_m holds NaN"),
            ("texture", lambda a: a + 999, "texture holds numbers"),
            ("kind", lambda a: np.full(len(a), "sock"), "kind holds 'sock'"),
            ("name", lambda a: np.full(len(a), "x"), "name holds a garment twice"),
            ("vertex_start", lambda a: a[::-1].copy(), "vertex_start does not divide"),
            ("layer", lambda a: a.astype(float), "layer is float64"),
            ("textures", lambda a: a[:, :8], "textures has shape"),
        ],
    )
    def test_refuses_what_is_not_a_wardrobe(self, tmp_path, name, change, message):
        with np.load(asset_path("open_wardrobe.npz"), allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        path = tmp_path / "bad.npz"
        np.savez(path, **{**arrays, name: change(arrays[name])})
        with pytest.raises(ValueError, match=message) as caught:
            Wardrobe.load("train", path)
        assert str(path) in str(caught.value)

    def test_refuses_missing_arrays_and_unknown_splits(self, tmp_path):
        np.savez(tmp_path / "few.npz", name=np.array(["a"]))
        with pytest.raises(ValueError, match="lacks the arrays anchor_bary"):
            Wardrobe.load("train", tmp_path / "few.npz")
        with pytest.raises(ValueError, match="split: got 'all'"):
            Wardrobe.load("all")


class TestAnchors:
    def test_lie_close_below_the_cloth(self):
        for garment in GARMENTS:
            away = np.linalg.norm(garment.template_m - anchors(garment)[0], axis=1)
            limit = 0.35 if garment.loose or garment.kind == "hair" else 0.12
            assert np.quantile(away, 0.98) < limit, garment.name

    @pytest.mark.parametrize("name", ["jeans", "suit_trousers", "worn_jeans", "leggings"])
    def test_trouser_leg_belongs_to_its_own_leg(self, name):
        garment = by_name(name)
        _, weights = anchors(garment)
        x, y = garment.template_m[:, 0], garment.template_m[:, 1]
        left, right = (y < -0.25) & (x > 0), (y < -0.25) & (x < 0)
        assert left.sum() > 50 and right.sum() > 50
        assert (weights[left][:, LEFT_LEG].sum(1) > 0.8).all()
        assert (weights[right][:, RIGHT_LEG].sum(1) > 0.8).all()

    @pytest.mark.parametrize("name", ["long_sleeve", "striped_shirt", "blazer", "blouse"])
    def test_sleeve_belongs_to_its_own_arm(self, name):
        garment = by_name(name)
        _, weights = anchors(garment)
        x = garment.template_m[:, 0]
        assert (weights[x > 0.5][:, LEFT_ARM].sum(1) > 0.8).all() and (x > 0.5).sum() > 20
        assert (weights[x < -0.5][:, RIGHT_ARM].sum(1) > 0.8).all() and (x < -0.5).sum() > 20

    def test_cloth_follows_the_limb_it_lies_on(self):
        """The far half of a trouser leg is moved by that leg's joints alone."""
        garment = by_name("jeans")
        dense = np.zeros((len(garment.template_m), 24))
        np.put_along_axis(dense, garment.weight_idx.astype(int), garment.weight_val, 1)
        left = (garment.template_m[:, 1] < -0.3) & (garment.template_m[:, 0] > 0)
        assert dense[left][:, LEFT_LEG].sum(1).min() > 0.95


class TestDresser:
    def test_outfit_arrays_agree(self, dresser):
        garments = [by_name(name) for name in ("shoes01", "jeans", "striped_shirt", "short02")]
        outfit = dresser.dress(garments)
        vertices = len(TEMPLATE) + sum(len(g.template_m) for g in garments)
        for values in (outfit.template_m, outfit.shapedirs, outfit.weight_idx, outfit.weight_val):
            assert len(values) == vertices and values.flags.c_contiguous
        count = len(outfit.faces)
        for name in outfit._fields[6:-1]:
            values = getattr(outfit, name)
            assert len(values) == count and values.flags.c_contiguous, name
        assert outfit.faces.max() < vertices
        body, cloth = outfit.faces[: outfit.num_body_faces], outfit.faces[outfit.num_body_faces :]
        assert body.max() < len(TEMPLATE) <= cloth.min()
        assert (outfit.texture_of_face[: outfit.num_body_faces] == -1).all()
        assert (outfit.texture_of_face[outfit.num_body_faces :] >= 0).all()
        assert outfit.densepose_of_face.min() >= 1 and outfit.densepose_of_face.max() <= 24
        assert outfit.corner_uv.min() >= 0 and outfit.corner_uv.max() <= 1

    def test_naked_body_is_the_body(self, dresser):
        outfit = dresser.dress([])
        np.testing.assert_array_equal(outfit.faces, ATLAS.faces)
        np.testing.assert_array_equal(outfit.template_m, TEMPLATE)
        np.testing.assert_array_equal(outfit.corner_uv, ATLAS.face_uv)
        assert not outfit.nearest_corner.any() and not outfit.covered.any()

    def test_hidden_skin_and_lower_layers_are_left_out(self, dresser):
        """A body triangle goes if all three corners are hidden; a bodysuit ends under a shirt."""
        inner, shirt = by_name("bodysuit"), by_name("long_sleeve")
        hidden = inner.hides | shirt.hides
        outfit = dresser.dress([inner, shirt])
        assert outfit.num_body_faces == (~hidden[ATLAS.faces].all(1)).sum() < len(ATLAS.faces)
        cloth = outfit.garment_of_face[outfit.num_body_faces :]
        assert 0 < (cloth == 0).sum() < len(inner.faces) and (cloth == 1).sum() == len(shirt.faces)

    def test_interpolated_labels_are_those_of_the_skin_between(self, dresser):
        """The map place of a triangle's middle shows skin near the mean of its corners."""
        garments = [by_name(name) for name in ("jeans", "long_sleeve", "knee_skirt")]
        outfit = dresser.dress(garments)
        smooth = np.arange(len(outfit.faces)) >= outfit.num_body_faces
        smooth &= ~outfit.nearest_corner
        uv, place = outfit.corner_uv[smooth].mean(1), outfit.corner_position_m[smooth].mean(1)
        face, bary = ATLAS.uv_to_surface(uv.astype(np.float32))
        there = np.einsum("nki,nk->ni", TEMPLATE[ATLAS.faces[face]], bary)
        error = np.linalg.norm(there - place, axis=1)
        assert np.quantile(error, 0.99) < 0.03 and error.max() < 0.15
        assert 0 < outfit.nearest_corner.mean() < 0.1

    def test_other_layouts_have_more_seams(self, dresser):
        garments = [by_name("jeans")]
        shuffled = Dresser(BODY, shuffled_atlas(ATLAS, 0))
        many = shuffled.dress(garments).nearest_corner.sum()
        assert many > 2 * dresser.dress(garments).nearest_corner.sum()

    def test_keeps_the_last_outfits(self, monkeypatch):
        monkeypatch.setattr(outfit_module, "CACHED_OUTFITS", 2)
        dresser = Dresser(BODY, ATLAS)
        first = dresser.dress([by_name("jeans")])
        dresser.dress([by_name("leggings")])
        assert dresser.dress([by_name("jeans")]) is first
        dresser.dress([by_name("shoes01")])
        assert list(dresser._outfits) == [("jeans",), ("shoes01",)]


class TestSampling:
    def test_same_seed_same_choice(self):
        wardrobe = WARDROBES["train"]
        for seed in range(5):
            first, second = (wardrobe.sample_garments(np.random.default_rng(seed)) for _ in "ab")
            assert [g.name for g in first] == [g.name for g in second]

    def test_choices_are_plausible_and_varied(self):
        rng = np.random.default_rng(0)
        for wardrobe in WARDROBES.values():
            seen = set()
            for _ in range(400):
                garments = wardrobe.sample_garments(rng)
                covers = [g.covers for g in garments if g.kind != "hair" and g.kind != "hat"]
                assert len(set(covers)) == len(covers)
                assert not ("full" in covers and {"top", "bottom"} & set(covers))
                layers = [garment.layer for garment in garments]
                assert layers == sorted(layers)
                seen |= {garment.name for garment in garments}
            assert seen == {garment.name for garment in wardrobe.garments}

    def test_loose_wears_a_skirt(self):
        rng = np.random.default_rng(0)
        for _ in range(20):
            assert any(g.loose for g in WARDROBES["train"].sample_garments(rng, loose=True))

    def test_dye_gives_dark_and_light(self):
        """Applied to the garment's mean, gain and offset give the drawn colour, also black."""
        rng, garment = np.random.default_rng(0), by_name("jeans")
        dyes = [dye(rng, garment) for _ in range(300)]
        colours = np.array([gain * garment.colour + offset for gain, offset in dyes])
        brightness = colours.mean(1)
        assert brightness.min() < 30 and brightness.max() > 200
        assert colours.min() > -1e-3 and colours.max() < 300
        assert 0.1 < (np.abs(colours - garment.colour).max(1) < 1e-3).mean() < 0.35
