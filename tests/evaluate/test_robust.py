import numpy as np
import pytest
import torch

from dimr.body.keypoints import JOINT_NAMES
from dimr.data.synthetic.synthocc import SynthOcc
from dimr.evaluate.robust import (
    BLOCK_PX,
    DAMAGES,
    UNDAMAGED,
    Damage,
    SampleDistances,
    Setting,
    add_noise,
    coarsen,
    damage_curve,
    damaged,
    drop,
    erode,
    hidden_curve,
    hidden_share,
    joint_means,
    joints_in_sight,
    leak,
    sample_distances,
    swap_sides,
)
from dimr.evaluate.synthetic import sample_errors
from dimr.predict import load
from dimr.types import Iuv, Regression


def rng():
    return np.random.default_rng(5)


def random_iuv(mask):
    uv = np.random.default_rng(1).uniform(0.01, 0.99, (*mask.shape, 2)).astype(np.float32)
    return Iuv(mask, np.where(mask[..., None], uv, np.float32(0)))


@pytest.fixture
def disc():
    y, x = np.mgrid[:48, :48]
    return random_iuv((x - 20) ** 2 + (y - 22) ** 2 < 15**2)


@pytest.fixture
def neighbours():
    mask = np.zeros((48, 48), bool)
    mask[:, 30:40] = True
    return random_iuv(mask)


class TestEveryDamage:
    @pytest.mark.parametrize("name", DAMAGES)
    def test_its_weakest_strength_changes_nothing(self, name, disc, neighbours):
        same = damaged(disc, neighbours, Setting(name, DAMAGES[name].none), [1])
        np.testing.assert_array_equal(same.mask, disc.mask)
        np.testing.assert_array_equal(same.uv, disc.uv)

    @pytest.mark.parametrize("name", DAMAGES)
    def test_every_other_one_does_and_always_the_same_way(self, name, disc, neighbours):
        for strength in DAMAGES[name].strengths:
            setting = Setting(name, strength)
            hurt, again = (damaged(disc, neighbours, setting, [1, 2]) for _ in range(2))
            assert not np.array_equal(hurt.uv, disc.uv)
            np.testing.assert_array_equal(hurt.uv, again.uv)
            assert not hurt.uv[~hurt.mask].any()
            assert hurt.uv.min() >= 0 and hurt.uv.max() <= 1

    def test_none_is_none(self, disc, neighbours):
        assert damaged(disc, neighbours, UNDAMAGED, [1]) is disc

    def test_other_names_are_refused(self, disc, neighbours):
        with pytest.raises(ValueError, match="got 'fire', want one of dropout"):
            damaged(disc, neighbours, Setting("fire", 1), [1])


class TestDropout:
    def test_the_share_is_exact(self, disc):
        for share in (0.1, 0.5, 0.9):
            kept = drop(disc, share, rng()).mask
            assert kept.sum() == disc.mask.sum() - round(share * disc.mask.sum())
            assert not (kept & ~disc.mask).any()

    def test_whole_blocks_go(self):
        full = random_iuv(np.ones((4 * BLOCK_PX, 4 * BLOCK_PX), bool))
        kept = drop(full, 0.5, rng()).mask
        blocks = kept.reshape(4, BLOCK_PX, 4, BLOCK_PX).mean((1, 3))
        assert set(blocks.ravel()) == {0, 1} and blocks.sum() == 8
        assert not (blocks == np.arange(4)[:, None] // 2).all(), "in any order"

    def test_more_adds_to_less(self, disc):
        some, more = drop(disc, 0.3, rng()).mask, drop(disc, 0.6, rng()).mask
        assert not (more & ~some).any()


def test_noise_has_its_spread_and_moves_every_pixel_by_itself(disc):
    centred = Iuv(disc.mask, 0.5 * disc.mask[..., None].repeat(2, 2).astype(np.float32))
    moved = add_noise(centred, 0.05, rng()).uv[disc.mask] - 0.5
    assert np.std(moved) == pytest.approx(0.05, rel=0.1)
    assert np.corrcoef(moved[1:, 0], moved[:-1, 0])[0, 1] == pytest.approx(0, abs=0.15)
    assert np.corrcoef(moved.T)[0, 1] == pytest.approx(0, abs=0.15)


def test_swaps_mirror_u_of_a_share(disc):
    swapped = swap_sides(disc, 0.25, rng())
    np.testing.assert_array_equal(swapped.mask, disc.mask)
    np.testing.assert_array_equal(swapped.uv[..., 1], disc.uv[..., 1])
    changed = swapped.uv[..., 0] != disc.uv[..., 0]
    assert changed.sum() == round(0.25 * disc.mask.sum())
    np.testing.assert_allclose(swapped.uv[changed, 0], 1 - disc.uv[changed, 0])


def test_the_nearest_pixels_leak_first():
    mask, theirs = np.zeros((1, 8), bool), np.zeros((1, 8), bool)
    mask[0, :3], theirs[0, 2:7] = True, True
    iuv, others = random_iuv(mask), random_iuv(theirs)
    leaked = leak(iuv, others, 0.5)
    assert leaked.mask[0].tolist() == [True] * 5 + [False] * 3
    np.testing.assert_array_equal(leaked.uv[0, :3], iuv.uv[0, :3])
    np.testing.assert_array_equal(leaked.uv[0, 3:5], others.uv[0, 3:5])
    assert leak(iuv, others, 1.0).mask.sum() == 7


def test_erosion_by_hand():
    mask = np.zeros((12, 12), bool)
    mask[2:9, 5:12] = True  # touches the right edge, behind which the person goes on
    kept = erode(random_iuv(mask), 2).mask
    expected = np.zeros_like(mask)
    expected[4:7, 7:12] = True
    np.testing.assert_array_equal(kept, expected)


def test_coarse_pixels_are_of_one_piece():
    iuv = random_iuv(np.ones((6, 6), bool))
    coarse = coarsen(iuv, 3.0)
    middles = iuv.uv[1::3, 1::3]
    np.testing.assert_array_equal(coarse.uv, middles.repeat(3, 0).repeat(3, 1))
    assert len(np.unique(coarsen(iuv, 100.0).uv[..., 0])) == 1


@pytest.fixture(scope="module")
def benchmark(open_body, open_atlas):
    return SynthOcc(open_body, open_atlas)


@pytest.fixture(scope="module")
def alone(benchmark):
    return benchmark.crop("clean", 0)


def with_parts_in_sight(sample, **shares):
    part_share = np.full(25, np.nan, np.float32)
    for name, share in shares.items():
        part_share[int(name.removeprefix("part"))] = share
    return sample._replace(occlusion=sample.occlusion._replace(part_visible_share=part_share))


class TestSeen:
    @pytest.mark.parametrize(
        ("shares", "names"),
        [
            ({}, ""),
            ({"part12": 0.5, "part14": 0.1}, "L_knee"),
            ({"part12": 0.49}, ""),
            ({"part3": 1.0}, "R_wrist R_hand"),
            ({"part2": 0.8}, "pelvis spine1 spine2 spine3 L_collar R_collar"),
            ({"part23": 0.6, "part24": 0.0}, "neck head"),
        ],
    )
    def test_joints_by_their_parts(self, alone, shares, names):
        seen = joints_in_sight(with_parts_in_sight(alone, **shares))
        assert [JOINT_NAMES[joint] for joint in np.nonzero(seen)[0]] == names.split()

    def test_what_lies_outside_is_hidden_too(self, alone):
        people = alone.people._replace(visible_share=np.array([0.5], np.float32))
        occlusion = alone.occlusion._replace(in_picture_share=0.6)
        assert hidden_share(alone._replace(people=people, occlusion=occlusion)) == pytest.approx(
            0.7
        )


def person(hidden, seen_joints, **distances_mm):
    seen = np.isin(np.arange(24), seen_joints)
    distance = {UNDAMAGED: np.arange(24.0)} | {
        Setting("dropout", float(name.removeprefix("drop")) / 100): np.full(24, value)
        for name, value in distances_mm.items()
    }
    return SampleDistances(hidden, seen, distance)


class TestMeans:
    def test_by_hand(self):
        people = [person(0.0, [0, 1, 3]), person(0.0, [5])]
        means = joint_means(people)
        assert means.people == 2 and means.mpjpe_mm == pytest.approx(11.5)
        assert means.seen_mm == pytest.approx((1 + 3 + 5) / 3)  # not the pelvis
        rest = 2 * sum(range(24)) - (1 + 3 + 5)
        assert means.completed_mm == pytest.approx(rest / (2 * 23 - 3))
        assert (means.seen_joints, means.completed_joints) == (3, 43)

    def test_nobody_has_no_error(self):
        assert joint_means([]) == (0, None, None, None, 0, 0)
        assert joint_means([person(0.0, np.arange(24))]).completed_mm is None

    def test_a_curve_is_of_the_same_people(self):
        damage = Damage("share", (0.5, 1.0))
        hit, spared = person(0.0, [1], drop50=30.0, drop100=70.0), person(0.0, [1, 2])
        curve = damage_curve([hit, spared], "dropout", damage)
        assert [each.people for each in curve.values()] == [1, 1, 1]
        assert [each.mpjpe_mm for each in curve.values()] == [11.5, 30, 70]
        assert list(curve) == [0, 0.5, 1]

    def test_bins_of_what_is_hidden(self):
        shares = (0.0, 0.1, 0.29, 0.3, 0.69, 0.7, 1.0)
        curve = hidden_curve([person(share, [1]) for share in shares])
        assert [means.people for means in curve.values()] == [1, 2, 1, 1, 2]
        assert list(curve)[1] == (0.1, 0.3)


@pytest.fixture(scope="module")
def model():
    return load()


FEW = {"dropout": Damage("share", (0.5,)), "leakage": Damage("share", (1.0,))}


class TestSampleDistances:
    """Through the shipped model: what is measured, not how good it is."""

    def test_undamaged_is_the_error_of_synthocc(self, model, benchmark):
        sample = benchmark.crop("person", 0)
        models = {"a": (model.stage1, model.stage2)}
        found = sample_distances(sample, models, model.body, [0], FEW)["a"]
        expected = sample_errors(sample, *models["a"], model.body, ("gt",))["gt"].mpjpe_mm
        assert found.distance_mm[UNDAMAGED].mean() == pytest.approx(expected, abs=0.05)
        assert list(found.distance_mm) == [UNDAMAGED, ("dropout", 0.5), ("leakage", 1.0)]
        for setting in list(found.distance_mm)[1:]:
            assert abs(found.distance_mm[setting].mean() - expected) > 0.5
        assert 0.2 < found.hidden_share < 1 and not found.seen.all()

    def test_nobody_leaks_into_a_person_alone(self, model, alone):
        models = {"a": (model.stage1, model.stage2)}
        found = sample_distances(alone, models, model.body, [0], FEW)["a"]
        assert list(found.distance_mm) == [UNDAMAGED, ("dropout", 0.5)]

    def test_a_perfect_regression_has_no_error(self, model, alone, monkeypatch):
        def answer(maps, mask, uv, image, pose):
            assert {len(each) for each in (*maps, uv, image, pose)} == {len(mask)}
            return Regression(
                torch.from_numpy(alone.rotmats).expand(len(mask), -1, -1, -1),
                torch.from_numpy(alone.betas).expand(len(mask), -1),
                torch.tensor([[1.0, 0.0, 0.0]]).expand(len(mask), -1),
            )

        monkeypatch.setattr(model.stage2, "regress_from", answer)
        models = {name: (model.stage1, model.stage2) for name in "ab"}
        found = sample_distances(alone, models, model.body, [0], FEW)
        assert list(found) == ["a", "b"]
        for each in found.values():
            assert max(values.max() for values in each.distance_mm.values()) < 1e-2
