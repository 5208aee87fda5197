"""The shipped open body: structure, symmetry, and that a SMPL pose means the same on it."""

import math

import numpy as np
import pytest
import torch

from dimr.assets import asset_path
from dimr.body.keypoints import JOINT_MIRROR, JOINT_NAMES, JOINT_PARENTS, KEYPOINT_NAMES
from dimr.body.model import BodyModel
from dimr.body.rotation import axis_angle_to_rotmat
from dimr.body.skinning import forward_kinematics, skin_vertices_numba

MIRROR_X = torch.tensor([-1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def body():
    return BodyModel.load()


def joint(name):
    return JOINT_NAMES.index(name)


def pose(**axis_angles):
    theta = torch.zeros(1, 24, 3)
    for name, value in axis_angles.items():
        theta[0, joint(name)] = torch.tensor(value, dtype=torch.float32)
    return axis_angle_to_rotmat(theta)


def no_shape():
    return torch.zeros(1, 10)


def random_people(count=3, seed=0):
    draw = torch.Generator().manual_seed(seed)
    theta = 0.4 * torch.randn(count, 24, 3, generator=draw)
    return theta, torch.randn(count, 10, generator=draw)


def test_file_is_small_and_structured_like_smpl(body):
    path = asset_path("open_body.npz")
    assert path.stat().st_size <= 8e6
    with np.load(path, allow_pickle=False) as arrays:
        assert {"v_template", "shapedirs", "J_regressor", "kintree_table", "weights", "f"} <= set(
            arrays.files
        )
        assert arrays["kintree_table"][0, 0] == 4294967295
        assert "posedirs" not in arrays.files
        assert len(np.unique(arrays["source_vertices"])) == body.num_vertices
        assert arrays["source_vertices"].max() < 13380, "only MakeHuman's body proper"
    assert 6500 <= body.num_vertices <= 7500
    assert body.parents == JOINT_PARENTS and body.name == "open body"


def test_mesh_is_closed_and_points_outwards(body):
    faces = body.faces.numpy()
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    directed = set(map(tuple, edges.tolist()))
    assert len(directed) == len(edges)
    assert all((b, a) in directed for a, b in directed)
    assert body.num_vertices - len(edges) // 2 + len(faces) == 2, "one piece without handles"
    a, b, c = (body.v_template.numpy()[faces[:, k]].astype(float) for k in range(3))
    volume = (a * np.cross(b, c)).sum() / 6
    assert 0.04 < volume < 0.12


def test_everything_mirrors(body):
    mirror = body.mirror_vertices
    flipped = body.v_template[mirror] * MIRROR_X
    torch.testing.assert_close(flipped, body.v_template, atol=0, rtol=0)
    moved = body.shapedirs[mirror] * MIRROR_X[None, :, None]
    torch.testing.assert_close(moved, body.shapedirs, atol=0, rtol=0)
    weights = body.weights[mirror][:, list(JOINT_MIRROR)]
    torch.testing.assert_close(weights, body.weights, atol=1e-6, rtol=0)
    ours = {tuple(sorted(face)) for face in body.faces.tolist()}
    assert {tuple(sorted(mirror[list(face)].tolist())) for face in ours} == ours


def test_mirrored_pose_and_shape_give_the_mirrored_mesh(body):
    theta, betas = random_people()
    # FACTS of SMPL's flip: joints change sides; y and z of the axis-angle change sign
    flipped = theta[:, list(JOINT_MIRROR)] * torch.tensor([1.0, -1.0, -1.0])
    straight = body(axis_angle_to_rotmat(theta), betas)
    mirrored = body(axis_angle_to_rotmat(flipped), betas)
    torch.testing.assert_close(
        mirrored.vertices_m,
        straight.vertices_m[:, body.mirror_vertices] * MIRROR_X,
        atol=1e-5,
        rtol=0,
    )
    torch.testing.assert_close(
        mirrored.joints_m, straight.joints_m[:, list(JOINT_MIRROR)] * MIRROR_X, atol=1e-5, rtol=0
    )


def test_weights_are_sparse_and_sum_to_one(body):
    assert int((body.weights > 0).sum(1).max()) <= 4
    torch.testing.assert_close(body.weights.sum(1), torch.ones(body.num_vertices))
    assert (body.weights >= 0).all()
    assert (body.weights.max(0).values > 0.4).all(), "every joint leads some skin"


def test_t_pose_arms_along_x_and_legs_down(body):
    _, betas = random_people(8)
    for j in body.joints_rest(betas):
        for side, sign in (("L", 1.0), ("R", -1.0)):
            shoulder = j[joint(f"{side}_shoulder")]
            for part in ("elbow", "wrist", "hand"):
                arm = j[joint(f"{side}_{part}")] - shoulder
                assert sign * arm[0] > 0.2
                assert arm[1:].norm() < 0.01
            leg = j[joint(f"{side}_ankle")] - j[joint(f"{side}_hip")]
            assert leg[1] < -0.6 and leg[[0, 2]].norm() < 0.08
            toes = j[joint(f"{side}_foot")] - j[joint(f"{side}_ankle")]
            assert toes[2] > 0.08 and abs(toes[0]) < 0.01
        assert j[joint("head"), 1] > j[joint("neck"), 1] > j[joint("spine3"), 1] > 0
        assert j[joint("pelvis")].norm() < 0.005


def test_palms_face_down(body):
    # thumbs point forwards: of the left hand's vertices, the most forward is not the outermost
    hand = body.weights[:, [joint("L_wrist"), joint("L_hand")]].sum(1) > 0.9
    vertices = body.v_template[hand]
    spread = vertices.max(0).values - vertices.min(0).values
    assert spread[2] > 1.5 * spread[1], "the hand is flat in x and z"
    thumb = vertices[vertices[:, 2].argmax()]
    assert thumb[1] < vertices[:, 1].mean(), "the thumb lies on the palm's side, below"


def test_shape_is_sorted_and_of_human_size(body):
    size = body.shapedirs.square().sum((0, 1)).sqrt()
    assert (size[:-1] >= size[1:]).all() and size[9] > 0
    heights = []
    draw = torch.Generator().manual_seed(0)
    for betas in torch.randn(200, 10, generator=draw):
        shaped = body.v_template + body.shapedirs @ betas
        heights.append(float(shaped[:, 1].max() - shaped[:, 1].min()))
    assert 1.35 < min(heights) < 1.55 and 1.65 < np.median(heights) < 1.78
    assert 1.9 < max(heights) < 2.15
    taller = body.v_template + 2 * body.shapedirs[..., 0]
    assert taller[:, 1].max() - taller[:, 1].min() > 1.85, "beta 0 grows with height"


def test_knee_flexion_about_x_moves_the_foot_back(body):
    rest = body.joints(pose(), no_shape())[0]
    bent = body.joints(pose(L_knee=[math.pi / 2, 0, 0]), no_shape())[0]
    knee, foot = bent[joint("L_knee")], bent[joint("L_ankle")]
    assert foot[2] < knee[2] - 0.3 and abs(foot[1] - knee[1]) < 0.1
    torch.testing.assert_close(bent[joint("R_ankle")], rest[joint("R_ankle")])


def test_hip_flexion_about_minus_x_lifts_the_knee_forwards(body):
    bent = body.joints(pose(R_hip=[-math.pi / 2, 0, 0]), no_shape())[0]
    assert bent[joint("R_knee"), 2] > bent[joint("R_hip"), 2] + 0.3


def test_left_arm_lowers_about_minus_z_and_elbow_folds_forwards_about_minus_y(body):
    lowered = body.joints(pose(L_shoulder=[0, 0, -math.pi / 2]), no_shape())[0]
    assert lowered[joint("L_wrist"), 1] < lowered[joint("L_shoulder"), 1] - 0.4
    folded = body.joints(pose(L_elbow=[0, -math.pi / 2, 0]), no_shape())[0]
    assert folded[joint("L_wrist"), 2] > folded[joint("L_elbow"), 2] + 0.2
    mirrored = body.joints(pose(R_elbow=[0, math.pi / 2, 0]), no_shape())[0]
    assert mirrored[joint("R_wrist"), 2] > mirrored[joint("R_elbow"), 2] + 0.2


def test_spine_and_head_bend_forwards_about_x_and_head_turns_left_about_y(body):
    bent = body.joints(pose(spine1=[0.5, 0, 0]), no_shape())[0]
    assert bent[joint("head"), 2] > body.joints(pose(), no_shape())[0, joint("head"), 2] + 0.1
    turned = body(pose(head=[0, math.pi / 2, 0]), no_shape())
    nose = body.keypoints(turned.vertices_m, "coco17")[0, 0]
    assert nose[0] > 0.08, "x is the body's left"


def test_root_turned_about_x_by_pi_is_upright_in_the_camera(body):
    joints = body.joints(pose(pelvis=[math.pi, 0, 0]), no_shape())[0]
    assert joints[joint("head"), 1] < joints[joint("L_ankle"), 1], "y points down"
    assert joints[joint("L_hip"), 0] > joints[joint("R_hip"), 0], "faces the camera"
    assert joints[joint("L_foot"), 2] < joints[joint("L_ankle"), 2], "toes towards the camera"


@pytest.mark.parametrize("set_name", list(KEYPOINT_NAMES))
def test_keypoint_regressors_are_sparse_positive_means(body, set_name):
    rows = getattr(body, f"J_regressor_{set_name}")
    assert rows.shape == (len(KEYPOINT_NAMES[set_name]), body.num_vertices)
    assert (rows >= 0).all()
    torch.testing.assert_close(rows.sum(1), torch.ones(len(rows)), atol=1e-5, rtol=0)
    assert int((rows > 0).sum(1).max()) < 400


@pytest.mark.parametrize("set_name", list(KEYPOINT_NAMES))
def test_limb_keypoints_stay_at_their_joints_when_posed(body, set_name):
    theta, betas = random_people(16, seed=1)
    theta[:, joint("L_knee"), 0] += 1.0
    theta[:, joint("R_elbow"), 1] += 1.0
    posed = body(axis_angle_to_rotmat(theta), betas)
    keypoints = body.keypoints(posed.vertices_m, set_name)
    for k, name in enumerate(KEYPOINT_NAMES[set_name]):
        if name[2:] in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist"):
            away = (keypoints[:, k] - posed.joints_m[:, joint(name)]).norm(dim=-1)
            assert away.square().mean().sqrt() < 0.02, name


def test_face_keypoints_lie_where_faces_have_them(body):
    nose, left_eye, right_eye, left_ear, right_ear = body.keypoints(
        body.v_template[None], "coco17"
    )[0, :5]
    head = body.joints_template[joint("head")]
    assert nose[2] > left_eye[2] > left_ear[2] and left_eye[1] > nose[1] > head[1]
    assert left_ear[0] > left_eye[0] > 0
    torch.testing.assert_close(left_eye * MIRROR_X, right_eye, atol=1e-5, rtol=0)
    torch.testing.assert_close(left_ear * MIRROR_X, right_ear, atol=1e-5, rtol=0)
    top = body.keypoints(body.v_template[None], "lsp14")[0, 13]
    assert top[1] > body.v_template[:, 1].max() - 0.01


def test_numba_skinning_with_four_joints_is_exact(body):
    theta, betas = random_people(1)
    rotmats = axis_angle_to_rotmat(theta)
    _, transforms = forward_kinematics(rotmats, body.joints_rest(betas), body.parents)
    rest = body.vertices_rest(rotmats, betas)[0].numpy()
    posed = skin_vertices_numba(rest, transforms[0].numpy(), *body.sparse_weights(4))
    np.testing.assert_allclose(posed, body(rotmats, betas).vertices_m[0].numpy(), atol=1e-5)
