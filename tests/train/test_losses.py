import math

import pytest
import torch

from dimr.train.losses import (
    LossWeights,
    Target,
    parallel_inpainting_loss,
    similarity_loss,
    stage2_losses,
    uncertainty_loss,
    weighted_mean,
)
from dimr.types import Regression

JOINTS = 3


def joints_of(rotmats, betas):
    """A body whose joints are columns of its root rotation, moved by its first betas."""
    return rotmats[:, 0].mT + betas[:, None, :3]


def random_pose(batch, seed):
    generator = torch.Generator().manual_seed(seed)
    rotmats = torch.linalg.qr(torch.randn(batch, 24, 3, 3, generator=generator)).Q
    betas = torch.randn(batch, 10, generator=generator)
    camera = torch.tensor([0.9, 0.1, -0.2]).repeat(batch, 1)
    parts = torch.randn(batch, 24, 5, generator=generator)
    return Regression(rotmats, betas, camera, parts)


def labels_of(regression):
    """A target that the regression meets exactly."""
    joints = joints_of(regression.rotmats, regression.betas)
    batch = len(joints)
    return Target(
        rotmats=regression.rotmats,
        betas=regression.betas,
        joints_m=joints + 5.0,
        joints_norm=0.9 * joints[..., :2] + torch.tensor([0.1, -0.2]),
        weight_smpl=torch.ones(batch),
        weight_3d=torch.ones(batch, JOINTS),
        weight_2d=torch.ones(batch, JOINTS),
    )


class TestWeightedMean:
    def test_by_hand(self):
        errors = torch.tensor([[1.0, 3.0], [10.0, 20.0]])
        assert weighted_mean(errors, torch.tensor([3.0, 1.0])) == (2 * 3 + 15) / 4

    def test_nothing_labelled(self):
        assert weighted_mean(torch.ones(2, 3), torch.zeros(2)) == 0


class TestSimilarityLoss:
    def test_by_hand(self):
        """Cosines 1, 0 and -0.6 have the mean 2/15."""
        clean = torch.tensor([[[2.0, 0.0], [0.0, 3.0], [3.0, -4.0]]])
        occluded = torch.tensor([[[5.0, 0.0], [1.0, 0.0], [-1.0, 0.0]]])
        torch.testing.assert_close(similarity_loss(clean, occluded), torch.tensor(13 / 15))

    def test_only_the_occluded_branch_learns(self):
        clean = torch.randn(2, 24, 5, requires_grad=True)
        occluded = torch.randn(2, 24, 5, requires_grad=True)
        loss = similarity_loss(clean, occluded)
        loss.backward()
        assert clean.grad is None
        closer = similarity_loss(clean, occluded.detach() - 0.1 * occluded.grad)
        assert closer < loss

    def test_zero_features_are_finite(self):
        occluded = torch.zeros(1, 24, 5, requires_grad=True)
        similarity_loss(torch.zeros(1, 24, 5), occluded).backward()
        assert occluded.grad.isfinite().all()


class TestStage2Losses:
    def test_zero_at_the_truth(self):
        regression = random_pose(2, 0)
        losses = stage2_losses(regression, labels_of(regression), joints_of)
        torch.testing.assert_close(losses.total, torch.tensor(0.0), atol=1e-6, rtol=0)

    @pytest.mark.parametrize("norm", ["mse", "l1"])
    def test_terms_by_hand(self, norm):
        truth = random_pose(1, 0)
        target = labels_of(truth)
        moved = truth._replace(
            rotmats=truth.rotmats + 0.1,
            betas=truth.betas + 2.0,
            camera=torch.tensor([[0.9, 0.4, -0.2]]),
        )
        weights = LossWeights(norm=norm)
        losses = stage2_losses(moved, target, joints_of, weights)
        power = 2 if norm == "mse" else 1
        assert losses.smpl.item() == pytest.approx(0.1**power + 0.001 * 2.0**power, rel=1e-4)
        # all joints move alike: nothing is left relative to the root
        assert losses.joints_3d.item() == pytest.approx(0, abs=1e-6)
        shift = (0.9 * 2.1 + 0.3) ** power, (0.9 * 2.1) ** power
        assert losses.joints_2d.item() == pytest.approx(sum(shift) / 2, rel=1e-4)
        assert losses.camera.item() == pytest.approx(math.exp(-18), rel=1e-3)
        assert losses.total.item() == pytest.approx(
            losses.smpl.item() + 5 * losses.joints_2d.item(), rel=1e-4
        )

    def test_3d_is_relative_to_the_root(self):
        truth = random_pose(1, 0)
        target = labels_of(truth)
        target = target._replace(joints_m=target.joints_m + 0.3)
        losses = stage2_losses(truth, target, joints_of)
        assert losses.joints_3d.item() == pytest.approx(0, abs=1e-6)
        bent = target.joints_m.clone()
        bent[0, 1, 2] += 0.6
        losses = stage2_losses(truth, target._replace(joints_m=bent), joints_of)
        assert losses.joints_3d.item() == pytest.approx(0.6**2 / 9, rel=1e-4)

    def test_missing_labels_do_not_matter(self):
        first, second = random_pose(1, 0), random_pose(1, 1)
        both = Regression(*(torch.cat(pair) for pair in zip(first[:4], second[:4], strict=True)))
        target = labels_of(random_pose(2, 2))
        rubbish = target._replace(
            **{
                name: torch.cat([getattr(target, name)[:1], torch.full_like(value[1:], 1e6)])
                for name, value in target._asdict().items()
                if not name.startswith("weight")
            },
            **{
                name: getattr(target, name) * torch.tensor([1.0, 0.0]).view(-1, *[1] * extra)
                for name, extra in (("weight_smpl", 0), ("weight_3d", 1), ("weight_2d", 1))
            },
        )
        alone = Target(*(each[:1] for each in target))
        for got, wanted in zip(
            stage2_losses(both, rubbish, joints_of),
            stage2_losses(first, alone, joints_of),
            strict=True,
        ):
            torch.testing.assert_close(got, wanted)

    def test_camera_guard_pushes_the_scale_up(self):
        truth = random_pose(1, 0)
        camera = torch.tensor([[-0.1, 0.0, 0.0]], requires_grad=True)
        losses = stage2_losses(truth._replace(camera=camera), labels_of(truth), joints_of)
        assert losses.camera.item() == pytest.approx(math.exp(2), rel=1e-4)
        losses.camera.backward()
        assert camera.grad[0, 0] < 0

    def test_gradients_are_finite_and_reach_everything(self):
        regression = Regression(*(each.requires_grad_() for each in random_pose(2, 0)[:3]))
        stage2_losses(regression, labels_of(random_pose(2, 1)), joints_of).total.backward()
        for each in regression[:3]:
            assert each.grad.isfinite().all()
            assert each.grad.any()

    def test_refuses_an_unknown_norm(self):
        with pytest.raises(ValueError, match="norm: got 'l2'"):
            LossWeights(norm="l2")


class TestUncertaintyLoss:
    JOINTS = torch.zeros(1, 3, 3)
    WEIGHT = torch.tensor([[1.0, 1.0, 0.0]])

    def test_by_hand(self):
        """Off by 0, 0.5 and (not labelled) anything, roots aligned."""
        target = torch.tensor([[[1.0, 0, 0], [1.3, 0.4, 0], [9.0, 9, 9]]])
        expected = torch.tensor([[0.2, 0.25, 3.0]])
        loss = uncertainty_loss(expected, self.JOINTS, target, self.WEIGHT)
        wanted = (math.log(0.2) + 0 + math.log(0.25) + 0.5 / 0.25) / 2
        assert loss.item() == pytest.approx(wanted, rel=1e-5)

    def test_is_least_at_the_actual_error(self):
        target = torch.tensor([[[0.0, 0, 0], [0.3, 0.4, 0], [0, 0, 0]]])
        weight = torch.tensor([[0.0, 1.0, 0.0]])
        for expected, wanted_sign in ((0.4, -1), (0.6, 1)):
            guess = torch.full((1, 3), expected, requires_grad=True)
            uncertainty_loss(guess, self.JOINTS, target, weight).backward()
            assert guess.grad[0, 1].sign() == wanted_sign and not guess.grad[0, 0]

    def test_joins_the_total_and_leaves_the_pose_alone(self):
        truth, target = random_pose(2, 0), labels_of(random_pose(2, 1))
        plain = stage2_losses(truth, target, joints_of)
        error = torch.full((2, JOINTS), 0.1, requires_grad=True)
        rotmats = truth.rotmats.clone().requires_grad_()
        sure = stage2_losses(
            truth._replace(rotmats=rotmats, joint_error_m=error), target, joints_of
        )
        torch.testing.assert_close(sure.total, plain.total + 0.1 * sure.uncertainty)
        sure.uncertainty.backward()
        assert error.grad.any() and rotmats.grad is None


class TestParallelInpaintingLoss:
    def test_is_the_mean_of_both_and_the_similarity(self):
        clean, occluded = random_pose(2, 0), random_pose(2, 1)
        target = labels_of(random_pose(2, 2))
        weights = LossWeights(similarity=0.5)
        losses = parallel_inpainting_loss(clean, occluded, target, joints_of, weights)
        each = [stage2_losses(one, target, joints_of, weights) for one in (clean, occluded)]
        similarity = similarity_loss(clean.part_features, occluded.part_features)
        torch.testing.assert_close(losses.smpl, (each[0].smpl + each[1].smpl) / 2)
        torch.testing.assert_close(losses.similarity, similarity)
        torch.testing.assert_close(
            losses.total, (each[0].total + each[1].total) / 2 + 0.5 * similarity
        )

    def test_refuses_a_variant_without_parts(self):
        pose = random_pose(1, 0)
        with pytest.raises(ValueError, match="part_features: got None"):
            parallel_inpainting_loss(
                pose._replace(part_features=None), pose, labels_of(pose), joints_of
            )
