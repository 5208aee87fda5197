"""The body model on a made-up body, against a slow reading of SMPL's equations."""

import numpy as np
import pytest
import torch

from dimr.body.keypoints import JOINT_PARENTS
from dimr.body.model import BodyModel
from dimr.body.rotation import axis_angle_to_rotmat
from dimr.body.skinning import forward_kinematics, skin_vertices_numba

NUM_VERTICES = 30


@pytest.fixture
def body(toy_npz):
    return BodyModel.load(toy_npz).double()


def random_input(count=2, seed=0):
    draw = torch.Generator().manual_seed(seed)
    theta = torch.randn(count, 24, 3, generator=draw, dtype=torch.float64)
    return axis_angle_to_rotmat(theta), torch.randn(count, 10, generator=draw, dtype=torch.float64)


def slow_smpl(content, rotmats, betas):
    """SMPL's equations one vertex and one joint at a time, for one body."""
    shaped = content["v_template"] + content["shapedirs"] @ betas
    joints = content["J_regressor"].toarray() @ shaped
    feature = np.concatenate([(rotmats[j] - np.eye(3)).ravel() for j in range(1, 24)])
    rest = shaped + content["posedirs"] @ feature
    world = []
    for j, parent in enumerate(JOINT_PARENTS):
        local = np.eye(4)
        local[:3, :3] = rotmats[j]
        local[:3, 3] = joints[j] - (joints[parent] if j else 0)
        world.append(world[parent] @ local if j else local)
    vertices = np.zeros_like(rest)
    for v in range(len(rest)):
        for j in range(24):
            unpose = np.eye(4)
            unpose[:3, 3] = -joints[j]
            moved = world[j] @ unpose @ np.append(rest[v], 1)
            vertices[v] += content["weights"][v, j] * moved[:3]
    return vertices, np.stack([w[:3, 3] for w in world])


def test_forward_equals_slow_smpl(body, content):
    rotmats, betas = random_input()
    posed = body(rotmats, betas)
    for i in range(2):
        vertices, joints = slow_smpl(content, rotmats[i].numpy(), betas[i].numpy())
        np.testing.assert_allclose(posed.vertices_m[i].numpy(), vertices, atol=1e-5)
        np.testing.assert_allclose(posed.joints_m[i].numpy(), joints, atol=1e-5)


def test_joints_alone_equal_forward(body):
    rotmats, betas = random_input()
    torch.testing.assert_close(body.joints(rotmats, betas), body(rotmats, betas).joints_m)


def test_joints_rest_move_with_shape_like_regressed_vertices(body):
    rotmats, betas = random_input()
    identity = torch.eye(3, dtype=torch.float64).expand_as(rotmats)
    regressed = body.J_regressor @ body.vertices_rest(identity, betas)
    torch.testing.assert_close(body.joints_rest(betas), regressed, atol=1e-6, rtol=0)


def test_zero_pose_and_shape_give_the_template(body):
    identity = torch.eye(3, dtype=torch.float64).expand(1, 24, 3, 3)
    rest = body(identity, torch.zeros(1, 10, dtype=torch.float64))
    torch.testing.assert_close(rest.vertices_m[0], body.v_template)


def test_body_without_pose_correctives(toy_npz, tmp_path):
    arrays = dict(np.load(toy_npz))
    path = tmp_path / "plain.npz"
    np.savez(path, **{name: a for name, a in arrays.items() if name != "posedirs"})
    plain = BodyModel.load(path).double()
    assert plain.posedirs is None
    arrays["posedirs"][:] = 0
    np.savez(path, **arrays)
    zeros = BodyModel.load(path).double()
    rotmats, betas = random_input()
    torch.testing.assert_close(plain(rotmats, betas).vertices_m, zeros(rotmats, betas).vertices_m)
    assert plain.content_hash == zeros.content_hash


def test_gradients_reach_pose_and_shape(body):
    rotmats, betas = random_input(1)
    theta = torch.zeros(1, 24, 3, dtype=torch.float64, requires_grad=True)
    betas.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda t, b: body.joints(axis_angle_to_rotmat(t), b), (theta, betas)
    )
    body(rotmats, betas).vertices_m.square().sum().backward()
    assert torch.isfinite(betas.grad).all() and betas.grad.abs().min() > 0


def test_content_hash_knows_the_arrays(toy_npz, tmp_path):
    first = BodyModel.load(toy_npz)
    arrays = dict(np.load(toy_npz))
    arrays["v_template"][3, 1] += 1e-3
    np.savez(tmp_path / "other.npz", **arrays)
    assert first.content_hash == BodyModel.load(toy_npz).content_hash
    assert first.content_hash != BodyModel.load(tmp_path / "other.npz").content_hash
    assert len(first.content_hash) == 64 and first.name == "toy"


def test_state_holds_no_body_arrays(body):
    assert body.state_dict() == {}


def test_sparse_weights_keep_the_strongest(body):
    idx, val = body.sparse_weights(3)
    assert idx.shape == val.shape == (NUM_VERTICES, 3)
    np.testing.assert_allclose(val.sum(1), 1, atol=1e-6)
    weights = body.weights.numpy()
    for v in range(NUM_VERTICES):
        strongest = np.argsort(-weights[v])[:3]
        assert set(idx[v]) == set(strongest)
    with pytest.raises(ValueError, match="k: got 25"):
        body.sparse_weights(25)


def test_numba_skinning_equals_the_model(toy_npz):
    body = BodyModel.load(toy_npz)
    rotmats, betas = (x.float() for x in random_input(1))
    _, transforms = forward_kinematics(rotmats, body.joints_rest(betas), body.parents)
    rest = body.vertices_rest(rotmats, betas)[0].numpy()
    posed = skin_vertices_numba(rest, transforms[0].numpy(), *body.sparse_weights(24))
    np.testing.assert_allclose(posed, body(rotmats, betas).vertices_m[0].numpy(), atol=1e-5)


def test_keypoints_without_regressor_are_refused_with_what_is_missing(body):
    vertices = torch.zeros(1, NUM_VERTICES, 3, dtype=torch.float64)
    with pytest.raises(ValueError, match="lacks J_regressor_coco17"):
        body.keypoints(vertices, "coco17")
    with pytest.raises(ValueError, match=r"give the path of J_regressor_h36m\.npy"):
        body.keypoints(vertices, "h36m17")
    with pytest.raises(ValueError, match="set_name: got 'body25'"):
        body.keypoints(vertices, "body25")


def test_given_h36m_regressor_also_serves_the_14_joints(toy_npz, tmp_path):
    rows = spin_rows(toy_npz)
    np.save(tmp_path / "J_regressor_h36m.npy", rows)
    body = BodyModel.load(toy_npz, h36m_regressor=tmp_path / "J_regressor_h36m.npy").double()
    vertices = torch.rand(2, NUM_VERTICES, 3, dtype=torch.float64)
    h36m = body.keypoints(vertices, "h36m17")
    expected = torch.from_numpy(rows.astype(np.float32)).double() @ vertices
    torch.testing.assert_close(h36m, expected)
    # SPIN's H36M_TO_J14
    order = [6, 5, 4, 1, 2, 3, 16, 15, 14, 11, 12, 13, 8, 10]
    torch.testing.assert_close(body.keypoints(vertices, "lsp14"), h36m[:, order])


def spin_rows(toy_npz):
    """A regressor of the toy body with the left hip on the left."""
    rows = np.random.default_rng(0).random((17, NUM_VERTICES))
    x = np.load(toy_npz)["v_template"][:, 0]
    rows[1], rows[4] = np.eye(NUM_VERTICES)[[x.argmax(), x.argmin()]]
    return rows


class TestH36mRegressor:
    @pytest.fixture
    def path(self, tmp_path):
        return tmp_path / "J_regressor_h36m.npy"

    def check_refused(self, toy_npz, path, message):
        with pytest.raises(ValueError, match=rf"J_regressor_h36m\.npy: h36m_regressor: {message}"):
            BodyModel.load(toy_npz, h36m_regressor=path)

    def test_numbers_of_another_shape_or_kind_are_refused(self, toy_npz, path):
        rows = spin_rows(toy_npz)
        for wrong in (rows[:, :-1], rows.astype(complex), rows > 0, rows.astype(str)):
            np.save(path, wrong)
            self.check_refused(
                toy_npz, path, rf"got \S+ of shape .*, want .* \(17, {NUM_VERTICES}\)"
            )
        rows[3, 5] = np.nan
        np.save(path, rows)
        self.check_refused(toy_npz, path, "holds numbers that are not finite")

    def test_files_that_are_no_arrays_are_refused(self, toy_npz, path):
        for raw in (b"", b"rubbish", toy_npz.read_bytes(), b"\x93NUMPY\x01\x00"):
            path.write_bytes(raw)
            self.check_refused(toy_npz, path, "not a readable")

    def test_huge_shape_is_refused(self, toy_npz, path):
        for rows in (10**12, 10**30):
            with path.open("wb") as file:
                header = {"descr": "<f8", "fortran_order": False, "shape": (rows, NUM_VERTICES)}
                np.lib.format.write_array_header_1_0(file, header)
            self.check_refused(toy_npz, path, "not a readable")

    def test_right_leg_first_is_refused(self, toy_npz, path):
        """As 3DCrowdNet's file, which has the same shape."""
        rows = spin_rows(toy_npz)
        rows[[1, 2, 3, 4, 5, 6]] = rows[[4, 5, 6, 1, 2, 3]]
        np.save(path, rows)
        self.check_refused(toy_npz, path, "its left hip .* want the file of SPIN")
