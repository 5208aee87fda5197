import torch

from dimr.body.keypoints import JOINT_MIRROR, JOINT_PARENTS
from dimr.data.augment import flip_points, flip_pose

MIRROR = torch.tensor(JOINT_MIRROR)


def random_rotmats(batch, seed=0):
    generator = torch.Generator().manual_seed(seed)
    rotmats = torch.linalg.qr(torch.randn(batch, 24, 3, 3, generator=generator)).Q
    return rotmats * torch.linalg.det(rotmats)[..., None, None]


def symmetric_rest(seed=0):
    """Resting joints with the left side the mirror image of the right."""
    rest = torch.randn(24, 3, generator=torch.Generator().manual_seed(seed))
    return (rest + flip_points(rest[None], MIRROR)[0]) / 2


def pose_joints(rotmats, rest):
    """Forward kinematics, written out."""
    rotations, places = [rotmats[:, 0]], [rest[0].expand(len(rotmats), 3)]
    for joint in range(1, 24):
        parent = JOINT_PARENTS[joint]
        offset = rest[joint] - rest[parent]
        places.append(places[parent] + rotations[parent] @ offset)
        rotations.append(rotations[parent] @ rotmats[:, joint])
    return torch.stack(places, dim=1)


class TestFlipPose:
    def test_gives_rotations(self):
        rotmats = flip_pose(random_rotmats(2), MIRROR)
        torch.testing.assert_close(torch.linalg.det(rotmats), torch.ones(2, 24))

    def test_twice_is_nothing(self):
        rotmats = random_rotmats(2)
        assert torch.equal(flip_pose(flip_pose(rotmats, MIRROR), MIRROR), rotmats)

    def test_raised_left_arm_becomes_a_raised_right_arm(self):
        """Joint 16 is the left shoulder; lifting the left arm turns it by +z, the right by -z."""
        rotmats = torch.eye(3).repeat(1, 24, 1, 1)
        up = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        rotmats[0, 16] = up
        flipped = flip_pose(rotmats, MIRROR)
        assert torch.equal(flipped[0, 17], up.T)
        assert torch.equal(flipped[0, 16], torch.eye(3))

    def test_joints_are_those_of_the_mirror_image(self):
        """Equivariance: flip the rotations and pose, or pose and flip the joints."""
        rotmats = random_rotmats(3)
        rest = symmetric_rest()
        joints = pose_joints(rotmats, rest)
        flipped_joints = pose_joints(flip_pose(rotmats, MIRROR), rest)
        torch.testing.assert_close(
            flipped_joints, flip_points(joints, MIRROR), atol=1e-5, rtol=1e-5
        )
