import pytest

from data.real import writers
from dimr.body.model import BodyModel
from dimr.surface.atlas import load_atlas


@pytest.fixture(scope="session")
def open_body():
    return BodyModel.load(None).requires_grad_(False)


@pytest.fixture(scope="session")
def open_atlas():
    return load_atlas(None)


@pytest.fixture(scope="session")
def people(open_body, open_atlas):
    return writers.make_people(open_body, open_atlas, 3)
