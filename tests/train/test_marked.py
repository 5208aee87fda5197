import numpy as np
import pytest

from dimr.data.synthetic.config import SyntheticConfig
from dimr.data.synthetic.people import SyntheticPeople
from dimr.train.marked import LEAST_PIXELS, MarkedPeople


@pytest.fixture(scope="module")
def crowd(open_body, open_atlas):
    two = SyntheticConfig(others=(0.0, 0.0, 1.0, 0.0))
    return SyntheticPeople(open_body, open_atlas, config=two, seed=5)


@pytest.fixture(scope="module")
def marked(crowd):
    return MarkedPeople(crowd)


def test_who_the_picture_is_about_is_marked(marked):
    for index in range(4):
        sample, who, marker, _ = marked.draw(index)
        assert np.array_equal(sample.image, marked.people.crop_sample(index).image)
        mine = sample.labels.person_id == 0
        assert who == 0 and marker[0][mine].mean() > 2 * marker[0][~mine].mean()


def test_somebody_else_is_if_asked_for_and_seen_well(marked):
    others = 0
    for index in range(6):
        sample, who, marker, _ = marked.draw(index, somebody_else=1.0)
        sizes = np.bincount(sample.labels.person_id[sample.labels.person_id >= 0])
        seen = [each for each in range(1, len(sizes)) if sizes[each] >= LEAST_PIXELS]
        assert who in seen if seen else who == 0
        mine = sample.labels.person_id == who
        assert marker[0][mine].mean() > 2 * marker[0][~mine].mean()
        others += who > 0
    assert others
