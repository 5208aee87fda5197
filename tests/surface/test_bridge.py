import numpy as np
import pytest

from dimr.body.model import BodyModel
from dimr.correspondence.decode import surface_table
from dimr.surface.atlas import load_atlas
from dimr.surface.bridge import fit_bridge
from dimr.surface.densepose_file import load_densepose_surface
from dimr.surface.uv_files import load_densepose_mat
from fake_densepose import fake_smpl, write_densepose_mat


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return BodyModel.load(None)


@pytest.fixture(scope="module")
def bridged(body, tmp_path_factory):
    """A remeshed, renumbered person of other shape and pose, and the open body laid over it."""
    fake = fake_smpl(body, seed=0)
    folder = tmp_path_factory.mktemp("smpl")
    return fake, folder, fit_bridge(BodyModel.load(fake.write(folder / "smpl.npz")), body)


def test_residual_is_small_and_honest(bridged):
    fake, _, bridge = bridged
    residual = bridge.residual
    assert residual.rms_mm < 3 and residual.p95_mm < 6 and residual.max_mm < 25
    # bumps of 4 mm on another shape: no pose and shape of the open body can be closer than this
    assert 1 < residual.body_rms_mm < 15
    assert residual.rms_mm < residual.body_rms_mm
    # vertices of the fake are vertices of the open body: those must lie near themselves
    corners = fake.content["f"].astype(int)
    certain = fake.open_bary.max(2) > 0.99
    own = np.zeros((len(fake.content["weights"]), 3))
    faces = load_atlas(None).faces[fake.open_face]
    picked = np.take_along_axis(faces, fake.open_bary.argmax(2), 1)
    own[corners[certain]] = bridge.vertices_m[picked[certain]]
    known = own.any(1)
    gap_mm = 1000 * np.linalg.norm(own - fake.content["v_template"], axis=1)[known]
    assert np.median(gap_mm) < 10 and np.quantile(gap_mm, 0.99) < 40


def test_places_are_those_of_the_same_skin(body, bridged):
    """Through DensePose's file: every face's middle, compared on the open body at rest."""
    fake, folder, bridge = bridged
    atlas = load_atlas(None)
    write_densepose_mat(folder / "UV_Processed.mat", fake, atlas)
    surface = load_densepose_surface(folder / "UV_Processed.mat", len(fake.content["weights"]))
    draw = np.random.default_rng(0)
    face = draw.integers(0, len(surface.faces), 4000)
    bary = draw.dirichlet(np.ones(3), 4000).astype(np.float32)
    uv = bridge.to_uv(surface.faces, atlas)(face, bary)
    rest_m = body.v_template.numpy()

    def points_m(number, weights):
        return np.einsum("nkx,nk->nx", rest_m[atlas.faces[number]], weights)

    # the file keeps the order of the fake's faces
    truth = points_m(fake.open_face[face], np.einsum("nj,njk->nk", bary, fake.open_bary[face]))
    gap_mm = 1000 * np.linalg.norm(points_m(*atlas.uv_to_surface(uv)) - truth, axis=1)
    assert np.median(gap_mm) < 10
    assert np.quantile(gap_mm, 0.99) < 40


def test_reversed_it_leads_back(body, bridged):
    """Every texel of the open atlas on the map of the fake SMPL, compared at rest."""
    fake, folder, bridge = bridged
    atlas = load_atlas(None)
    write_densepose_mat(folder / "UV_Processed.mat", fake, atlas)
    other = load_densepose_mat(folder / "UV_Processed.mat", fake.content["weights"])
    rest_m = body.v_template.numpy()
    table = surface_table(atlas, rest_m, bridge.reversed.to_uv(atlas.faces, other))
    face, bary = other.uv_to_surface(table.uv)
    there = np.einsum("nj,njk->nk", bary, fake.open_bary[face])
    corners_m = rest_m[atlas.faces[fake.open_face[face]]]
    gap_mm = 1000 * np.linalg.norm(
        np.einsum("nkx,nk->nx", corners_m, there) - table.position_m, axis=1
    )
    assert np.median(gap_mm) < 12 and np.quantile(gap_mm, 0.99) < 40


def test_body_of_another_unit_or_axis_is_refused(body, tmp_path):
    fake = fake_smpl(body, seed=0)
    upright_m = fake.content["v_template"]
    for wrong in (upright_m * 100, upright_m[:, [0, 2, 1]]):
        fake.content["v_template"] = wrong
        with pytest.raises(ValueError, match=r"m high; want SMPL's, in metres, y up"):
            fit_bridge(BodyModel.load(fake.write(tmp_path / "other.npz")), body)


def test_body_that_does_not_fit_is_refused(body, tmp_path, monkeypatch):
    monkeypatch.setattr("dimr.surface.bridge.FIT_ROUNDS", 1)
    monkeypatch.setattr("dimr.surface.bridge.OFFSET_STIFFNESS", ())
    fake = fake_smpl(body, seed=0)
    fake.content["v_template"] = fake.content["v_template"] * [1, 1, 6]
    with pytest.raises(ValueError, match=r"cannot be laid over it, \d+ mm remain"):
        fit_bridge(BodyModel.load(fake.write(tmp_path / "deep.npz")), body)
