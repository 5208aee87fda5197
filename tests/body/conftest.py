"""A made-up body with SMPL's keys and shapes, small enough to think about."""

import numpy as np
import pytest
import scipy.sparse

from dimr.body.keypoints import JOINT_PARENTS

NUM_VERTICES = 30
ROOT_PARENT = np.uint32(4294967295)


def toy_content(num_betas: int = 10) -> dict:
    """The dictionary that an SMPL pickle holds; all numbers drawn with a fixed seed."""
    draw = np.random.default_rng(7)
    weights = draw.random((NUM_VERTICES, 24)) ** 8
    regressor = draw.random((24, NUM_VERTICES)) * (draw.random((24, NUM_VERTICES)) < 0.2)
    regressor[:, 0] += 0.1
    parents = np.array(JOINT_PARENTS, dtype=np.int64)
    kintree = np.stack([parents % 2**32, np.arange(24)]).astype(np.uint32)
    assert kintree[0, 0] == ROOT_PARENT
    return {
        "v_template": draw.normal(size=(NUM_VERTICES, 3)),
        "shapedirs": draw.normal(size=(NUM_VERTICES, 3, num_betas)) * 0.1,
        "posedirs": draw.normal(size=(NUM_VERTICES, 3, 207)) * 0.01,
        "J_regressor": scipy.sparse.csc_matrix(regressor / regressor.sum(1, keepdims=True)),
        "kintree_table": kintree,
        "weights": weights / weights.sum(1, keepdims=True),
        "f": draw.integers(0, NUM_VERTICES, (40, 3)).astype(np.uint32),
        "bs_type": "lrotmin",
        "bs_style": "lbs",
    }


@pytest.fixture
def make_content():
    return toy_content


@pytest.fixture
def content() -> dict:
    return toy_content()


@pytest.fixture
def toy_npz(tmp_path, content):
    """The same body as .npz, the joint regressor dense."""
    arrays = {name: value for name, value in content.items() if not isinstance(value, str)}
    arrays["J_regressor"] = content["J_regressor"].toarray()
    path = tmp_path / "toy.npz"
    np.savez(path, **arrays)
    return path
