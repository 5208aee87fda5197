import numpy as np
import pytest

from dimr.data.synthetic.synthocc import SynthOcc
from dimr.evaluate.attention import (
    CELL_TEXELS,
    SHOWN_SHARE,
    GroupMeans,
    PersonAttention,
    centres_uv,
    entropy,
    fixed_attention,
    mean_over_parts,
    measure_parts,
    part_views,
    person_attention,
)
from dimr.network.complete import part_area
from dimr.network.dimr import HeadSize
from dimr.network.variants import build_stage2
from dimr.predict import load
from dimr.train.weights import new_stage2

CELLS = 8
UNIFORM = np.full((24, CELLS, CELLS), 1 / CELLS**2)


def at_cells(cells):
    """All attention of part i on cell (row, col) i."""
    attention = np.zeros((24, CELLS, CELLS))
    attention[np.arange(24), cells[:, 0], cells[:, 1]] = 1
    return attention


def person(attention, shown=1.0):
    return PersonAttention(attention, np.zeros((64, 64), bool), np.full(24, shown))


@pytest.fixture(scope="module")
def home(open_atlas):
    """The fullest cell of each part."""
    area = part_area(open_atlas.texels(CELLS * CELL_TEXELS).part, CELLS, CELLS).numpy()
    return np.stack(np.unravel_index(area.reshape(24, -1).argmax(1), (CELLS, CELLS)), 1)


class TestMaps:
    def test_centre_by_hand(self):
        attention = np.zeros((2, 4))
        attention[1, 0], attention[0, 3] = 0.75, 0.25
        # u = .75 * .125 + .25 * .875, v = .75 * .75 + .25 * .25
        np.testing.assert_allclose(centres_uv(attention), [0.3125, 0.625])

    def test_entropy_of_one_cell_and_of_all(self):
        one = np.zeros((3, 3))
        one[1, 2] = 1
        found = entropy(np.stack([one, np.full((3, 3), 1 / 9)]))
        np.testing.assert_allclose(found, [0, np.log(9)])


class TestMeasures:
    def test_everybody_at_home(self, home, open_atlas):
        people = [person(at_cells(home))] * 3
        for part, found in enumerate(measure_parts(people, open_atlas, UNIFORM)):
            row, col = home[part]
            assert found.centre_uv == pytest.approx(((col + 0.5) / 8, (row + 0.5) / 8))
            assert found.own_share == pytest.approx(1) and found.entropy == 0
            assert found.variance_ratio == found.shown.variation == 0
            assert found.hidden is None

    def test_uniform_attention_is_chance(self, open_atlas):
        for found in measure_parts([person(UNIFORM)] * 2, open_atlas, UNIFORM):
            assert found.own_share == pytest.approx(found.own_share_uniform)
            assert found.own_share_fixed == pytest.approx(found.own_share_uniform)
            assert found.entropy == pytest.approx(found.entropy_fixed) == np.log(64)

    def test_variance_over_people_against_variance_between_parts(self, open_atlas):
        first = np.stack([np.full(24, 4), np.arange(24) % 2 * 4], 1)  # u: 0.0625 or 0.5625
        second = first + np.array([0, 2])  # 0.25 further to the right
        people = [person(at_cells(first)), person(at_cells(second))]
        for found in measure_parts(people, open_atlas, UNIFORM):
            assert found.variance_ratio == pytest.approx(0.125**2 / 0.25**2)

    def test_a_hidden_part_against_those_who_show_it(self, home, open_atlas):
        moved = home.copy()
        moved[:, 1] = (moved[:, 1] + 4) % 8
        people = [person(at_cells(home))] * 2 + [person(at_cells(moved), 0.0)]
        sliver = person(UNIFORM, SHOWN_SHARE / 2)  # neither shown nor hidden
        for found in measure_parts([*people, sliver], open_atlas, UNIFORM):
            assert (found.shown.people, found.hidden.people) == (2, 1)
            assert found.shown.centre_distance == 0
            assert found.hidden.centre_distance == pytest.approx(0.5)
            assert found.hidden.variation == pytest.approx(1)
            assert found.hidden.own_share < found.shown.own_share == pytest.approx(1)

    def test_usual_leaves_oneself_out(self, open_atlas):
        random = np.random.default_rng(2).dirichlet(np.ones(64), (5, 24)).reshape(5, 24, 8, 8)
        people = [person(each) for each in random]
        for part, found in enumerate(measure_parts(people, open_atlas, UNIFORM)):
            distances, variations = [], []
            for own in range(5):
                usual = np.delete(random[:, part], own, 0).mean(0)
                variations.append(np.abs(random[own, part] - usual).sum() / 2)
                gap = centres_uv(random[own, part]) - centres_uv(usual)
                distances.append(np.linalg.norm(gap))
            assert found.shown.variation == pytest.approx(np.mean(variations))
            assert found.shown.centre_distance == pytest.approx(np.mean(distances))

    def test_one_person_is_no_usual(self, home, open_atlas):
        people = [person(at_cells(home)), person(UNIFORM, 0.0)]
        for found in measure_parts(people, open_atlas, UNIFORM):
            assert found.shown is None and found.hidden is None


def test_means_over_parts_compare_the_same_parts(home, open_atlas):
    people = [person(at_cells(home))] * 2 + [person(UNIFORM, 0.0)]
    measures = measure_parts(people, open_atlas, UNIFORM)
    means = mean_over_parts(measures)
    assert means.own_share == pytest.approx(np.mean([part.own_share for part in measures]))
    assert (means.shown.people, means.hidden.people) == (48, 24)
    odd = GroupMeans(7, 9.0, 9.0, 9.0, 9.0)
    measures[0] = measures[0]._replace(shown=odd, hidden=None)
    means = mean_over_parts(measures)
    assert means.shown.people == 46 and means.shown.own_share == pytest.approx(1)
    none = mean_over_parts([part._replace(hidden=None) for part in measures])
    assert none.shown is None and none.hidden is None


def test_views_show_the_mean_and_the_least_usual_person(home):
    seen = np.ones((64, 64), bool)
    usual, odd = person(at_cells(home)), PersonAttention(UNIFORM, seen, np.ones(24))
    shown, hidden = part_views([usual, odd, usual], 3)
    mean, one = shown
    assert hidden is None and mean.about == "n = 3"
    np.testing.assert_allclose(mean.attention, (2 * usual.attention[3] + UNIFORM[3]) / 3)
    np.testing.assert_array_equal(one.attention, UNIFORM[3])
    assert one.seen is seen and one.about == f"{2 / 3 * 63 / 64:.2f} elsewhere"


@pytest.fixture(scope="module")
def model():
    return load()


class TestStage2:
    def test_a_fresh_map_looks_at_home(self, model, open_body, open_atlas):
        fresh = new_stage2("dimr", model.stage2.encoder, open_body, open_atlas, HeadSize())
        fixed = fixed_attention(fresh, "fresh")
        np.testing.assert_allclose(fixed.sum((1, 2)), 1, rtol=1e-5)
        for found in measure_parts([person(UNIFORM)] * 2, open_atlas, fixed):
            assert found.own_share_fixed > 5 * found.own_share_uniform

    @pytest.mark.parametrize(
        ("variant", "reason"),
        [
            ("hmr", "has no attention"),
            ("no_attention", "has no attention"),
            ("pare", "attends to the picture"),
            ("no_uv_structure", "attends to the picture"),
        ],
    )
    def test_others_are_refused(self, model, open_atlas, variant, reason):
        part = open_atlas.texels(64).part
        stage2 = build_stage2(variant, model.stage2.encoder, part)
        with pytest.raises(ValueError, match=f"weights: given {reason}"):
            fixed_attention(stage2, "given")

    def test_a_person_through_the_shipped_model(self, model):
        sample = SynthOcc(model.body, model.atlas).crop("person", 0)
        stages = model.stage1, model.stage2
        one = person_attention(sample, *stages, model.atlas, "gt")
        np.testing.assert_allclose(one.attention.sum((1, 2)), 1, rtol=1e-4)
        assert 0 < one.seen.sum() < one.seen.size
        part = model.atlas.texels(64).part
        assert one.part_seen[15] == pytest.approx(one.seen[part == 15].mean())
        other = person_attention(sample, *stages, model.atlas, "predicted")
        assert not np.array_equal(one.seen, other.seen)
