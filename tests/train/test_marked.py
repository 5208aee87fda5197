import numpy as np
import pytest

from dimr.data.synthetic.config import SyntheticConfig
from dimr.data.synthetic.people import SyntheticPeople
from dimr.train.marked import LEAST_PIXELS, FoundPeople, MarkedPeople


class Always(FoundPeople):
    """Never a new picture."""

    def pick(self, rng):
        return int(rng.integers(len(self.people)))


def grid(*rows):
    return np.array(rows, np.uint8)


class TestFoundPeople:
    def test_who_is_meant_by_hand(self):
        found = FoundPeople(grid([1, 1, 2, 2], [1, 1, 2, 0])[None])
        person_id = np.array([[1, 1, 0, 0], [1, -1, 0, 0]], np.int8)
        whom = found.whom(0, person_id)
        assert set(whom) == {0, 1}
        assert whom[1].tolist() == [[[1, 1, 0, 0], [1, 1, 0, 0]], [[0, 0, 1, 1], [0, 0, 1, 0]]]
        assert whom[0].tolist() == whom[1][::-1].tolist()

    def test_two_who_were_taken_for_one_are_the_one_most_seen(self):
        found = FoundPeople(grid([1, 1, 1, 1])[None])
        whom = found.whom(0, np.array([[0, 1, 1, 1]], np.int8))
        assert set(whom) == {1} and whom[1][0].all() and not whom[1][1].any()

    def test_of_two_halves_of_somebody_the_surer_one_counts(self):
        found = FoundPeople(grid([2, 2, 1, 1])[None])
        whom = found.whom(0, np.zeros((1, 4), np.int8))
        assert whom[0].tolist() == [[[0, 0, 1, 1]], [[1, 1, 0, 0]]]

    def test_things_and_too_little_of_somebody_are_nobody(self):
        person_id = np.full((1, 30), -1, np.int8)
        assert not FoundPeople(np.ones((1, 1, 30), np.uint8)).whom(0, person_id)
        person_id[0, :2] = 0  # two of thirty
        assert not FoundPeople(np.ones((1, 1, 30), np.uint8)).whom(0, person_id)
        person_id[0, :3] = 0
        assert set(FoundPeople(np.ones((1, 1, 30), np.uint8)).whom(0, person_id)) == {0}

    def test_half_of_the_samples_are_new_pictures(self):
        found, rng = FoundPeople(np.zeros((5, 2, 2), np.uint8)), np.random.default_rng(0)
        picks = [found.pick(rng) for _ in range(400)]
        assert 160 < picks.count(None) < 240
        assert {pick for pick in picks if pick is not None} == set(range(5))


@pytest.fixture(scope="module")
def crowd(open_body, open_atlas):
    two = SyntheticConfig(others=(0.0, 0.0, 1.0, 0.0))
    return SyntheticPeople(open_body, open_atlas, config=two, seed=5)


def seen_exactly(crowd, count):
    """As a first pass that makes no mistakes would find them."""
    pictures = MarkedPeople(crowd).people
    ids = [pictures.crop_sample(number).labels.person_id for number in range(count)]
    return np.stack(ids).astype(np.int64) + 1


class TestMarkedPeople:
    def test_marks_are_those_that_were_found(self, crowd):
        people = seen_exactly(crowd, 3).astype(np.uint8)
        marked = MarkedPeople(crowd, Always(people))
        for index in range(6):
            sample, who, marker, _ = marked.draw(index)
            assert who == 0
            assert np.array_equal(marker[0] > 0, sample.labels.person_id == 0)
            assert np.array_equal(marker[1] > 0, sample.labels.person_id > 0)

    def test_somebody_else_is_meant_if_asked_for(self, crowd):
        people = seen_exactly(crowd, 3).astype(np.uint8)
        marked, seen = MarkedPeople(crowd, Always(people)), set()
        for index in range(8):
            sample, who, marker, _ = marked.draw(index, somebody_else=1.0)
            assert np.array_equal(marker[0] > 0, sample.labels.person_id == who)
            seen.add(who)
        assert seen & {1, 2}

    def test_whom_nobody_found_has_an_imitated_mark(self, crowd):
        marked = MarkedPeople(crowd, Always(np.zeros((3, 128, 128), np.uint8)))
        sample, who, marker, _ = marked.draw(0)
        assert who == 0 and marker[0].any()
        assert ((marker[0] > 0) & (sample.labels.person_id == 0)).any()

    def test_without_found_people_pictures_are_new(self, crowd):
        marked = MarkedPeople(crowd)
        sample, who, _, _ = marked.draw(7)
        assert np.array_equal(sample.image, marked.people.crop_sample(7).image) and who == 0
        sample, who, _, _ = marked.draw(7, somebody_else=1.0)
        sizes = np.bincount(sample.labels.person_id[sample.labels.person_id >= 0])
        assert who == 0 or sizes[who] >= LEAST_PIXELS
