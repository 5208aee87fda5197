import functools
import hashlib
import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from dimr.body.camera import fit_weak
from dimr.body.model import BodyModel
from dimr.data.synthetic import staging
from dimr.data.synthetic.config import SyntheticConfig
from dimr.data.synthetic.people import SyntheticPeople
from dimr.data.synthetic.samples import DenseLabels
from dimr.surface.atlas import load_atlas

BODY, ATLAS = BodyModel.load(), load_atlas()
SIZE, HALF = 96, 48
ALONE = SyntheticConfig(others=(1.0,), objects=(1.0,), close_up=0.0)


@functools.cache
def make(size: int = SIZE, seed: int = 0, split: str = "train", config=None) -> SyntheticPeople:
    return SyntheticPeople(BODY, ATLAS, size=size, seed=seed, split=split, config=config)


@pytest.fixture(scope="module")
def people() -> SyntheticPeople:
    return make()


@pytest.fixture(scope="module")
def crops(people):
    return [people.crop_sample(index) for index in range(24)]


@pytest.fixture(scope="module")
def scenes(people):
    return [people.scene_sample(index) for index in range(24)]


def flatten(sample) -> bytes:
    if isinstance(sample, tuple):
        return b"".join(flatten(value) for value in sample)
    return np.asarray(sample).tobytes()


KINDS = ("crop_sample", "scene_sample", "iuv_sample")


class TestDeterminism:
    @pytest.mark.parametrize("kind", KINDS)
    def test_order_does_not_matter(self, people, kind):
        forwards = [flatten(getattr(people, kind)(index)) for index in (3, 4, 5)]
        other = SyntheticPeople(BODY, ATLAS, size=SIZE)
        getattr(other, kind)(11)
        backwards = [flatten(getattr(other, kind)(index)) for index in (5, 4, 3)]
        assert forwards == backwards[::-1]

    def test_another_process_gives_the_same_bytes(self, people):
        code = (
            "import hashlib, numpy as np\n"
            "from dimr.body.model import BodyModel\n"
            "from dimr.data.synthetic.people import SyntheticPeople\n"
            "from dimr.surface.atlas import load_atlas\n"
            f"made = SyntheticPeople(BodyModel.load(), load_atlas(), size={SIZE})\n"
            "flat = lambda s: b''.join(map(flat, s)) if isinstance(s, tuple)"
            " else np.asarray(s).tobytes()\n"
            f"for kind in {KINDS}:\n"
            "    print(hashlib.sha256(flat(getattr(made, kind)(7))).hexdigest())\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        expected = [
            hashlib.sha256(flatten(getattr(people, kind)(7))).hexdigest() for kind in KINDS
        ]
        assert done.stdout.split() == expected

    @pytest.mark.parametrize("kind", KINDS)
    def test_index_seed_and_split_all_matter(self, people, kind):
        samples = [
            getattr(people, kind)(1),
            getattr(people, kind)(2),
            getattr(make(seed=1), kind)(1),
            getattr(make(split="val"), kind)(1),
            getattr(make(split="test"), kind)(1),
        ]
        assert len({flatten(sample) for sample in samples}) == len(samples)


class TestOccludedTwin:
    def test_what_is_not_hidden_stays_as_it_was(self, people, crops):
        for index, sample in enumerate(crops[:6]):
            before = sample.image.copy()
            twin, hidden = people.occlude(sample.image, index)
            np.testing.assert_array_equal(sample.image, before)
            assert twin.shape == before.shape and hidden.shape == sample.iuv.mask.shape
            changed = (twin != before).any(2)
            assert changed.any() and hidden.any()
            grown = cv2.dilate(hidden.astype(np.uint8), np.ones((5, 5), np.uint8))
            assert not changed[np.kron(grown, np.ones((2, 2), np.uint8)) == 0].any()
            wholly = cv2.erode(hidden.astype(np.uint8), np.ones((3, 3), np.uint8))
            if wholly.any():
                inside = np.kron(wholly, np.ones((2, 2), np.uint8)) > 0
                assert changed[inside].mean() > 0.7

    def test_the_same_number_hides_the_same(self, people, crops):
        first, second = (people.occlude(crops[0].image, 7) for _ in range(2))
        for one, other in zip(first, second, strict=True):
            np.testing.assert_array_equal(one, other)
        assert not np.array_equal(first[1], people.occlude(crops[0].image, 8)[1])


class TestFormat:
    def test_crop_shapes_and_types(self, crops):
        for crop in crops:
            count = len(crop.people.visible_share)
            assert crop.image.shape == (SIZE, SIZE, 3) and crop.image.dtype == np.uint8
            assert crop.person_id.shape == (SIZE, SIZE) and crop.person_id.dtype == np.int8
            assert crop.people.box_px.shape == (count, 4)
            assert crop.labels.uv.shape == (HALF, HALF, 2) and crop.labels.uv.dtype == np.float32
            assert crop.rotmats.shape == (24, 3, 3) and crop.betas.shape == (10,)
            assert -1 <= crop.person_id.min() and crop.person_id.max() < count

    def test_crop_iuv_is_the_target(self, crops):
        for crop in crops:
            np.testing.assert_array_equal(crop.iuv.mask, crop.labels.person_id == 0)
            assert (crop.iuv.uv[~crop.iuv.mask] == 0).all()

    def test_sizes_other_than_the_default(self):
        sample = make(size=64).crop_sample(0)
        assert sample.image.shape == (64, 64, 3) and sample.labels.part.shape == (32, 32)


def check_labels(labels: DenseLabels) -> None:
    seen = labels.person_id >= 0
    np.testing.assert_array_equal(labels.part > 0, seen)
    assert labels.part.max(initial=0) <= 24
    assert (labels.uv[~seen] == 0).all() and (labels.position_m[~seen] == 0).all()
    assert ((labels.uv >= 0) & (labels.uv <= 1)).all()


class TestLabels:
    def test_parts_uv_and_positions_exist_exactly_where_people_are(self, crops, scenes):
        for sample in (*crops, *scenes):
            check_labels(sample.labels)

    def test_uv_leads_back_to_part_and_position(self, crops):
        template = BODY.v_template.numpy()
        for crop in crops[:8]:
            seen = crop.labels.person_id >= 0
            face, bary = ATLAS.uv_to_surface(crop.labels.uv[seen])
            position = np.einsum("nk,nkc->nc", bary, template[ATLAS.faces[face]])
            gap_m = np.linalg.norm(position - crop.labels.position_m[seen], axis=1)
            assert np.median(gap_m) < 0.002 and np.quantile(gap_m, 0.97) < 0.01
            same = ATLAS.densepose_of_face[face] == crop.labels.part[seen]
            assert same.mean() > 0.97

    @pytest.mark.parametrize(("garments", "share"), [(0.0, 0.999), (1.0, 0.99)])
    def test_stride_2_agrees_with_full_resolution(self, garments, share):
        """Strands of hair are cut out of textures, finer than either grid."""
        made = make(config=SyntheticConfig(garments=garments))
        agree, whole = [], []
        for sample in (*map(made.crop_sample, range(12)), *map(made.scene_sample, range(6))):
            blocks = sample.person_id.reshape(HALF, 2, HALF, 2).transpose(0, 2, 1, 3)
            blocks = blocks.reshape(HALF, HALF, 4)
            agree.append((blocks == sample.labels.person_id[..., None]).any(-1).mean())
            uniform = (blocks == blocks[..., :1]).all(-1)
            whole.append((blocks[..., 0] == sample.labels.person_id)[uniform].mean())
        assert np.mean(agree) > 0.995 and np.mean(whole) > share

    def test_projected_vertices_land_on_their_labels(self):
        """A label pixel's surface point, posed and projected, is in that pixel's neighbourhood."""
        made = make(config=ALONE)
        rng = made._rng(0, 3)
        dressed = made._stylist.sample(rng)
        crop = made._stage.crop(rng, [dressed])
        made._alone.draw(crop.people, crop.window, made._stylist.textures)
        inside = np.ones((HALF, HALF), np.bool_)
        _, _, (person, shares) = made._keep_target_visible(crop.people, [], [], inside)
        labels = made._alone.labels(person, crop.people, [0])
        face, bary = made._alone.layers[0].face, made._alone.layers[0].bary
        rows, cols = np.nonzero(labels.person_id == 0)
        corners = crop.people[0].figure.vertices_m[dressed.outfit.faces[face[rows, cols]]]
        points = np.einsum("nk,nkc->nc", bary[rows, cols], corners) + crop.people[0].translation_m
        norm = crop.window.to_norm(points)
        np.testing.assert_allclose((norm[:, 0] + 1) * HALF / 2 - 0.5, cols, atol=2e-2)
        np.testing.assert_allclose((norm[:, 1] + 1) * HALF / 2 - 0.5, rows, atol=2e-2)
        assert shares[0] == 1

    def test_boxes_and_centres_belong_to_the_visible_pixels(self, crops, scenes):
        for sample in (*crops, *scenes):
            for who, box in enumerate(sample.people.box_px):
                rows, cols = np.nonzero(sample.person_id == who)
                if len(rows) == 0:
                    assert (box == 0).all()
                    continue
                wanted = (cols.min() - 0.5, rows.min() - 0.5, cols.max() + 0.5, rows.max() + 0.5)
                np.testing.assert_allclose(box, wanted)
                np.testing.assert_allclose(
                    sample.people.centre_px[who], (cols.mean(), rows.mean()), rtol=1e-5
                )

    def test_visible_share_is_a_share_and_the_target_is_seen(self, crops, scenes):
        for sample in (*crops, *scenes):
            share = sample.people.visible_share
            assert ((share >= 0) & (share <= 1)).all()
        for crop in crops:
            assert crop.visible_share >= SyntheticConfig().min_visible_share
            assert (crop.labels.person_id == 0).any()

    def test_nothing_in_the_way_means_all_is_visible(self):
        made = make(config=ALONE)
        for index in range(6):
            assert made.crop_sample(index).visible_share == 1

    def test_people_in_front_hide_the_target(self):
        made = make(config=SyntheticConfig(others=(0.0, 0.0, 0.0, 1.0), objects=(1.0,)))
        shares = [made.iuv_sample(index).visible_share for index in range(8)]
        assert min(shares) < 0.9


class TestTarget:
    def test_joints_are_those_of_the_body_model(self, people, crops):
        samples = [*crops[:8], *(people.iuv_sample(index) for index in range(8))]
        for sample in samples:
            joints = BODY.joints(
                torch.from_numpy(sample.rotmats[None]), torch.from_numpy(sample.betas[None])
            )
            np.testing.assert_allclose(sample.joints_m, joints[0].numpy(), atol=1e-5)

    def test_weak_camera_reprojects_within_perspective_effects(self, people):
        errors = []
        for index in range(60):
            sample = people.iuv_sample(index)
            projected = sample.camera[0] * sample.joints_m[:, :2] + sample.camera[1:]
            extent = np.ptp(sample.keypoints_norm, axis=0).max()
            error = np.linalg.norm(projected - sample.keypoints_norm, axis=1).mean()
            errors.append(error / extent)
        assert np.median(errors) < 0.02 and max(errors) < 0.2

    def test_distant_camera_is_exactly_weak(self):
        far = SyntheticConfig(
            off_axis=0.0, others=(1.0,), close_up=0.0, distance_m=(2000.0, 2001.0)
        )
        sample = make(config=far).iuv_sample(0)
        projected = sample.camera[0] * sample.joints_m[:, :2] + sample.camera[1:]
        np.testing.assert_allclose(projected, sample.keypoints_norm, atol=2e-3)
        again = fit_weak(sample.joints_m, sample.keypoints_norm)
        np.testing.assert_allclose(sample.camera, again, rtol=1e-4, atol=1e-4)

    def test_keypoints_of_a_bare_target_lie_in_its_mask(self):
        """The pelvis and spine of an unhidden person are inside of the silhouette."""
        made = make(config=ALONE)
        inside = []
        for index in range(20):
            crop = made.crop_sample(index)
            columns, rows = ((crop.keypoints_norm[[0, 3, 6, 9]] + 1) * HALF / 2).astype(int).T
            ok = (columns >= 0) & (columns < HALF) & (rows >= 0) & (rows < HALF)
            inside.extend(crop.labels.person_id[rows[ok], columns[ok]] == 0)
        assert np.mean(inside) > 0.95

    def test_most_people_face_the_camera(self, people):
        """The chest's forward axis points towards the camera (negative z)."""
        facing = [people.iuv_sample(index).rotmats[0][2, 2] < 0 for index in range(90)]
        assert 0.6 < np.mean(facing) < 0.95


class TestScenes:
    def test_empty_scene(self):
        made = make(config=SyntheticConfig(scene_people=(1.0,)))
        scene = made.scene_sample(0)
        assert scene.people.box_px.shape == (0, 4) and scene.people.centre_px.shape == (0, 2)
        assert (scene.person_id == -1).all() and (scene.labels.part == 0).all()

    def test_every_listed_person_is_visible(self, scenes):
        for scene in scenes:
            ids = np.unique(scene.labels.person_id)
            assert set(ids[ids >= 0].tolist()) == set(range(len(scene.people.visible_share)))

    def test_sizes_differ_widely(self, people):
        heights = []
        for index in range(60):
            boxes = people.scene_sample(index).people.box_px
            heights.extend((boxes[:, 3] - boxes[:, 1]).tolist())
        assert min(heights) < 0.25 * SIZE and max(heights) > 0.8 * SIZE
        assert len(heights) > 90


class TestEdges:
    def test_beyond_the_picture_is_black_and_unlabelled(self):
        made = make(config=SyntheticConfig(close_up=1.0, picture_edge=1.0))
        black = 0
        for index in range(8):
            crop = made.crop_sample(index)
            empty_rows = (crop.image == 0).all((1, 2))
            empty_cols = (crop.image == 0).all((0, 2))
            assert (crop.person_id[empty_rows] == -1).all()
            assert (crop.person_id[:, empty_cols] == -1).all()
            black += empty_rows.any() or empty_cols.any()
        assert black >= 4

    def test_close_ups_truncate(self):
        made = make(config=SyntheticConfig(close_up=1.0))
        outside = [
            (np.abs(made.iuv_sample(index).keypoints_norm) > 1).any() for index in range(20)
        ]
        assert np.mean(outside) > 0.6


def test_close_ups_may_all_be_about_one_part():
    made = make(config=SyntheticConfig(close_up=1.0, focus="face", others=(1.0,), objects=(1.0,)))
    shown = [np.unique(made.iuv_sample(index).uv[..., 1]) for index in range(4)]
    heights = [np.abs(made.iuv_sample(index).keypoints_norm[15]).max() for index in range(4)]
    assert max(heights) < 1 and all(len(each) > 5 for each in shown)
    feet = [np.abs(made.iuv_sample(index).keypoints_norm[[7, 8]]).max() for index in range(4)]
    assert min(feet) > 1


class TestRefusals:
    @pytest.mark.parametrize("size", [0, 15, 97])
    def test_size(self, size):
        with pytest.raises(ValueError, match="size"):
            make(size=size)

    def test_split(self):
        with pytest.raises(ValueError, match="split"):
            make(split="training")

    def test_seed_and_index(self, people):
        with pytest.raises(ValueError, match="seed"):
            make(seed=-1)
        with pytest.raises(ValueError, match="index"):
            people.crop_sample(-1)

    def test_config(self):
        with pytest.raises(ValueError, match="others"):
            SyntheticConfig(others=(0.5, 0.2))
        with pytest.raises(ValueError, match="close_up"):
            SyntheticConfig(close_up=1.5)

    def test_focus(self):
        with pytest.raises(ValueError, match="focus: got 'nose', want None or one of head"):
            make(config=SyntheticConfig(focus="nose"))

    def test_atlas_of_another_body(self):
        other = replace(ATLAS, faces=ATLAS.faces[:, [1, 2, 0]].copy())
        with pytest.raises(ValueError, match="atlas"):
            SyntheticPeople(BODY, other)


def test_garments_are_for_the_body_that_they_fit(monkeypatch):
    assert make()._stylist.wardrobe is not None
    monkeypatch.setattr(BODY, "content_hash", "another body")
    assert SyntheticPeople(BODY, ATLAS, size=SIZE)._stylist.wardrobe is None


def test_reconfigured_generator_draws_the_same_people():
    """Streams and assets are shared; only probabilities and the size change."""
    other = make().reconfigured(SyntheticConfig(), 64)
    fresh = make(size=64)
    assert flatten(other.crop_sample(5)) == flatten(fresh.crop_sample(5))
    assert make().crop_sample(5).image.shape == (SIZE, SIZE, 3)


class TestOcclusion:
    def test_codes_agree_with_the_mask_and_the_shares(self, crops):
        for crop in crops:
            code = crop.occlusion.hidden_by
            np.testing.assert_array_equal(code == 0, crop.labels.person_id == 0)
            alone = (code >= 0).sum()
            assert (code == 0).sum() / alone == pytest.approx(crop.visible_share, abs=1e-6)
            for who in range(1, len(crop.people.visible_share)):
                hidden = code == who
                np.testing.assert_array_equal(crop.labels.person_id[hidden] >= 0, True)

    def test_people_in_the_code_are_those_in_the_labels(self, crops):
        seen = 0
        for crop in crops:
            code = crop.occlusion.hidden_by
            behind_people = (code > 0) & (code < 64)
            np.testing.assert_array_equal(
                code[behind_people], crop.labels.person_id[behind_people]
            )
            seen += behind_people.sum()
        assert seen > 50

    def test_part_shares_are_of_the_parts_pixels(self, crops):
        for crop in crops:
            shares = crop.occlusion.part_visible_share
            assert np.nanmin(shares) >= 0 and np.nanmax(shares) <= 1 and np.isnan(shares[0])
            labelled = np.unique(crop.labels.part[crop.labels.person_id == 0])
            # a cloth pixel may lie beyond its part's own border: most, not all
            assert np.mean(shares[labelled] > 0) > 0.9

    def test_nothing_in_the_way_all_parts_are_whole(self):
        sample = make(config=ALONE).crop_sample(1)
        shares = sample.occlusion.part_visible_share
        assert (shares[~np.isnan(shares)] == 1).all()
        assert sample.occlusion.in_picture_share > 0.98

    def test_truncated_people_are_partly_outside(self):
        made = make(config=SyntheticConfig(close_up=1.0))
        shares = [made.crop_sample(index).occlusion.in_picture_share for index in range(8)]
        assert min(shares) < 0.7


class TestStaging:
    def test_camera_above_sees_the_head_nearer(self):
        low = SyntheticConfig(elevation_deg=(30.0, 31.0), roll_deg=0.0)
        stage = staging.Stage(make()._tailor, low)
        up = stage.camera(np.random.default_rng(0))[:, 1]
        assert up[1] < 0 and up[2] < -0.4

    def test_window_edges_are_one(self):
        window = staging.Window(np.array([0.1, -0.2]), 0.5)
        corner = np.array([[0.35, 0.05, 1.0], [-0.3, -0.9, 2.0]])
        np.testing.assert_allclose(window.to_norm(corner), [[1, 1], [-1, -1]])
