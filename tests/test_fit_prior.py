"""How stage 2's answers err."""

import numpy as np
import pytest
import torch

from dimr.body.keypoints import JOINT_MIRROR, JOINT_NAMES
from dimr.body.rotation import axis_angle_to_rotmat
from dimr.fit.prior import UNSEEN, shipped_covariance, turn_covariance, turn_precision

X, Y, Z = range(3)


def row(joint: str, axis: int) -> int:
    return 3 * list(JOINT_NAMES).index(joint) + axis


def turned(std, count=3000):
    """Answers, and truths that are as far off as `std` (72,) says, joints on their own."""
    generator = torch.Generator().manual_seed(0)
    start = axis_angle_to_rotmat(torch.randn(count, 24, 3, generator=generator))
    turns = std * torch.randn(count, 72, generator=generator)
    return start, start @ axis_angle_to_rotmat(turns.view(count, 24, 3)), turns


def test_turns_are_told_in_the_joints_own_axes_and_for_both_sides():
    std = torch.full((72,), 0.02)
    std[row("L_knee", X)] = 0.2
    found, true, _ = turned(std)
    scale = turn_covariance(found, true)
    deviation = scale.diag().sqrt()
    left, right = deviation[row("L_knee", X)], deviation[row("R_knee", X)]
    torch.testing.assert_close(left, right)
    # the mean of a wide and a narrow side, twice as often near as a single Gaussian
    assert 4 < left / deviation[row("L_knee", Y)] < 8
    mirrored = scale.view(24, 3, 24, 3)[list(JOINT_MIRROR)][:, :, list(JOINT_MIRROR)]
    sign = torch.tensor([1, -1, -1]).double()
    mirrored = mirrored * sign[:, None, None] * sign
    torch.testing.assert_close(mirrored.reshape(72, 72), scale)


def test_joints_that_err_together_are_told_together():
    found, _, turns = turned(torch.full((72,), 0.05))
    turns[:, row("head", X)] = -turns[:, row("neck", X)] + 0.01 * turns[:, row("head", X)]
    scale = turn_covariance(found, found @ axis_angle_to_rotmat(turns.view(-1, 24, 3)))
    pair = scale[row("neck", X), row("head", X)]
    alone = scale.diag().sqrt()
    assert pair / (alone[row("neck", X)] * alone[row("head", X)]) < -0.98


def test_few_who_are_all_wrong_say_little():
    found, true, _ = turned(torch.full((72,), 0.05), 1000)
    before = turn_covariance(found, true).diag().sqrt()
    found, true = found.clone(), true.clone()
    true[:50] = turned(torch.ones(72), 50)[1]
    after = turn_covariance(found, true).diag().sqrt()
    torch.testing.assert_close(after, before, atol=0, rtol=0.15)  # plain variance: 4.6 times


def test_what_ships_lets_knees_bend_and_not_twist():
    covariance = shipped_covariance()
    assert covariance.shape == (72, 72)
    torch.testing.assert_close(covariance, covariance.T)
    assert torch.linalg.eigvalsh(covariance).min() > 0
    deviation = covariance.diag().sqrt()
    for knee in ("L_knee", "R_knee"):
        assert deviation[row(knee, X)] > 5 * deviation[row(knee, Y)]
    correlation = covariance / (deviation[:, None] * deviation)
    assert correlation[row("L_hip", X), row("L_knee", X)] < -0.3  # a bent hip, a bent knee


def test_what_is_trusted_may_move_everything_farther():
    seen = np.ones(24, np.float32)
    trusted, measured = (
        torch.linalg.inv(turn_precision(seen, each)).diag().sqrt() for each in (True, False)
    )
    assert (trusted > 1.5 * measured).all()
    torch.testing.assert_close(measured[3:], shipped_covariance().diag().sqrt()[3:])


@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize("joint", ["L_elbow", "pelvis"])
def test_a_joint_whose_part_is_hidden_stays_nearer(joint, trusted):
    seen = np.ones(24, np.float32)
    all_seen = torch.linalg.inv(turn_precision(seen, trusted)).diag().sqrt()
    seen[list(JOINT_NAMES).index(joint)] = 0
    hidden = torch.linalg.inv(turn_precision(seen, trusted)).diag().sqrt()
    factor = torch.ones(72).double()
    if joint != "pelvis":  # which is seen wherever anything is
        factor[row(joint, X) : row(joint, Z) + 1] = UNSEEN
    torch.testing.assert_close(hidden, factor * all_seen)
