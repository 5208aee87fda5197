import numpy as np
import pytest
import torch

from dimr.body.camera import project_weak
from dimr.data.synthetic.people import SyntheticPeople
from dimr.network.complete import Completed
from dimr.network.feedback import (
    ANCHORS,
    GAP_SCALE,
    GROUPS,
    HIPS,
    LANDMARK_OF_JOINT,
    LARGEST_GAP,
    SHARPNESS,
    SURE,
    SURE_PIXELS,
    LandmarkGap,
    Surface,
    SurfaceGap,
    surface_of,
)
from dimr.network.regress import IterativeRegressor

OWN, SEEN = list(LANDMARK_OF_JOINT), list(LANDMARK_OF_JOINT.values())


def template_of(body):
    return body.v_template.numpy()


def joints_of(rotmats, betas):
    """Somewhere that depends on both."""
    count = torch.arange(24.0)[None, :, None] / 24
    return count * rotmats[:, :, 0] + betas[:, None, :1]


def state(batch=2):
    generator = torch.Generator().manual_seed(0)
    rotmats = torch.linalg.qr(torch.randn(batch, 24, 3, 3, generator=generator)).Q
    betas = torch.randn(batch, 10, generator=generator)
    camera = torch.tensor([[0.5, 0.1, -0.2]]).repeat(batch, 1)
    return rotmats, betas, camera


def agreeing_pose(rotmats, betas, camera):
    """Landmarks that lie exactly where the joints are."""
    joints = joints_of(rotmats, betas)
    pose = torch.zeros(len(rotmats), 39, 10)
    pose[:, SEEN, :2] = project_weak(joints, camera)[:, OWN]
    pose[:, SEEN, 3] = 1
    pose[:, SEEN, 5:8] = (joints - joints[:, HIPS].mean(1, keepdim=True))[:, OWN]
    return pose


class TestGaps:
    def test_none_where_landmarks_agree(self):
        gaps = LandmarkGap(4, joints_of).gaps(agreeing_pose(*state()), *state())
        sure, nothing = [5, 11, 12], [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]
        torch.testing.assert_close(
            gaps[..., nothing], torch.zeros(2, len(OWN), 10), atol=1e-5, rtol=0
        )
        assert (gaps[..., sure] == 1).all()  # a spread of zero is certain

    def test_one_by_hand(self):
        pose = agreeing_pose(*state())
        pose[1, LANDMARK_OF_JOINT[18], :2] += torch.tensor([0.1, -0.2])
        pose[1, LANDMARK_OF_JOINT[18], [3, 8]] = torch.tensor([0.25, SURE[0]])
        gaps = LandmarkGap(4, joints_of).gaps(pose, *state())
        gap = GAP_SCALE * torch.tensor([0.1, -0.2, 0, 0, 0])
        wanted = torch.cat([0.25 * gap, torch.tensor([0.25]), 0.5 * gap, torch.tensor([0.5, 1.0])])
        row = OWN.index(18)
        torch.testing.assert_close(gaps[1, row], wanted, atol=1e-5, rtol=0)
        gaps[1, row, :5] = 0
        torch.testing.assert_close(gaps[..., :5], torch.zeros(2, len(OWN), 5), atol=1e-5, rtol=0)

    def test_unsure_landmarks_say_nothing_and_wild_ones_little(self):
        pose = agreeing_pose(*state())
        pose[:, :, :3] = 1000
        pose[1, :, 3], pose[1, :, 8:] = 0, 1e6
        gaps = LandmarkGap(4, joints_of).gaps(pose, *state())
        assert gaps[0].abs().max() == LARGEST_GAP
        assert gaps[1].abs().max() < 1e-8


class TestInTheRegressor:
    @staticmethod
    def regressor():
        torch.manual_seed(0)
        return IterativeRegressor(10, hidden=16, landmarks=True, joints_of=joints_of)

    @staticmethod
    def regress(regressor, pose):
        torch.manual_seed(1)
        return regressor(Completed(torch.rand(2, 6)), torch.rand(2, 4), pose)

    def test_starts_silent_and_learns(self):
        regressor = self.regressor()
        pose = torch.rand(2, 39, 10)
        first = self.regress(regressor, pose)
        torch.testing.assert_close(first.rotmats, self.regress(regressor, None).rotmats)
        first.camera.sum().backward()
        assert regressor.landmark_gap.enter.weight.grad.any()

    def test_it_hears_how_far_the_pose_of_each_step_is_off(self):
        """The twin: enters before every step, with the state so far."""
        regressor = self.regressor()
        torch.nn.init.normal_(regressor.landmark_gap.enter.weight)
        torch.nn.init.normal_(regressor.decode_camera.weight)
        asked = []
        gaps = regressor.landmark_gap.gaps

        def record(pose, rotmats, betas, camera):
            asked.append(camera)
            return gaps(pose, rotmats, betas, camera)

        regressor.landmark_gap.gaps = record
        found = self.regress(regressor, torch.rand(2, 39, 10))
        assert len(asked) == regressor.iterations
        torch.testing.assert_close(asked[0], regressor.initial_state[-3:].expand(2, 3))
        assert not torch.equal(asked[1], asked[0]) and not torch.equal(asked[2], found.camera)
        assert not torch.equal(found.camera, self.regress(self.regressor(), None).camera)

    def test_landmarks_that_are_all_zero_say_nothing(self):
        """Though a spread of zero is certain; beside them others are heard as they were."""
        regressor = self.regressor()
        torch.nn.init.normal_(regressor.enter_landmarks[-1].weight)
        torch.nn.init.normal_(regressor.landmark_gap.enter.weight)
        torch.nn.init.normal_(regressor.decode_camera.weight)
        heard = torch.rand(2, 39, 10)
        both, nobody = self.regress(regressor, heard), self.regress(regressor, None)
        heard[1] = 0
        one = self.regress(regressor, heard)
        assert torch.equal(one.camera[0], both.camera[0])
        assert torch.equal(one.camera[1], nobody.camera[1])
        assert not torch.equal(both.camera[1], nobody.camera[1])

    def test_without_a_body_there_is_no_feedback(self):
        assert IterativeRegressor(10, hidden=16, landmarks=True).landmark_gap is None


@pytest.fixture(scope="module")
def surface(open_body, open_atlas):
    parts = open_atlas.texels(64).part
    return surface_of(open_body, parts, open_atlas.positions(template_of(open_body), 64))


class TestSurface:
    """On the open body: anchors, what pixels say of them, and the gap to a pose."""

    def test_texels_belong_to_the_nearest_anchor_of_their_part(
        self, surface, open_body, open_atlas
    ):
        parts = open_atlas.texels(64).part
        texels = surface.anchor_of_texel
        assert ((texels >= 0) == (parts >= 0)).all()
        groups = surface.group_of_anchor
        assert (groups[texels[parts >= 0]] // GROUPS == parts[parts >= 0]).all()
        texels_of_part = np.bincount(parts[parts >= 0])
        assert (
            np.bincount(groups // GROUPS).tolist() == np.minimum(ANCHORS, texels_of_part).tolist()
        )
        assert (np.bincount(groups, minlength=GROUPS * 24) > 0).all()
        rest = torch.eye(3).expand(1, 24, 3, 3)
        anchors = surface.points_of(rest, torch.zeros(1, 10))[0].numpy()
        places = open_atlas.positions(template_of(open_body), 64)
        gap = np.linalg.norm(places[parts >= 0] - anchors[texels[parts >= 0]], axis=1)
        assert np.quantile(gap, 0.9) < 0.12  # metres; a part is some 0.3 m long

    def test_anchors_move_as_the_mesh_does(self, surface, open_body):
        rotmats, betas, _ = state()
        found = surface.points_of(rotmats, betas)
        vertices = open_body(rotmats, betas).vertices_m
        nearest = torch.cdist(found, vertices).argmin(dim=2)
        wanted = torch.stack([each[rows] for each, rows in zip(vertices, nearest, strict=True)])
        assert open_body.posedirs is None
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)
        assert torch.equal(nearest[0], nearest[1])

    def test_pixels_by_hand(self, surface):
        gap = SurfaceGap(4, surface)
        row, col = np.argwhere(surface.anchor_of_texel >= 0)[100]
        anchor = surface.anchor_of_texel[row, col]
        uv = torch.zeros(1, 4, 4, 2)
        uv[0, 1:3, 2] = (torch.tensor([col, row]) + 0.5) / 64
        mask = torch.zeros(1, 4, 4, dtype=torch.bool)
        mask[0, 1:3, 2] = True
        places, pixels = gap.observe(mask, uv)
        assert pixels[0, anchor] == 2 and pixels.sum() == 2
        torch.testing.assert_close(places[0, anchor], torch.tensor([0.25, 0.0]))

    def test_pixels_beside_the_atlas_are_nobodys(self, surface):
        row, col = np.argwhere(surface.anchor_of_texel < 0)[0]
        uv = ((torch.tensor([col, row]) + 0.5) / 64).expand(1, 4, 4, 2)
        _, pixels = SurfaceGap(4, surface).observe(torch.ones(1, 4, 4, dtype=torch.bool), uv)
        assert not pixels.any()

    def test_gaps_of_a_group_by_hand(self, surface):
        rotmats, betas, camera = state(1)
        gap = SurfaceGap(4, surface)
        points = project_weak(surface.points_of(rotmats, betas), camera)
        pixels = torch.zeros(points.shape[:2])
        first, second = np.flatnonzero(surface.group_of_anchor == 5)[:2]
        pixels[0, first], pixels[0, second] = 2 * SURE_PIXELS, SURE_PIXELS / 2
        places = points.clone()
        places[0, first] += torch.tensor([0.1, 0.0])
        places[0, second] += torch.tensor([0.0, -0.3])
        found = gap.gaps((places, pixels), rotmats, betas, camera)[0]
        mean = torch.tensor([0.1 / 1.5, -0.15 / 1.5])  # the second counts half
        count = (surface.group_of_anchor == 5).sum()
        torch.testing.assert_close(found[5, :2], torch.asinh(SHARPNESS * mean), atol=1e-3, rtol=0)
        assert found[5, 2] == pytest.approx(1.5 / count)
        found[5] = 0
        assert not found.any()

    def test_parts_with_few_texels_have_fewer_groups(self, open_body, open_atlas):
        parts = open_atlas.texels(8).part
        small = surface_of(open_body, parts, open_atlas.positions(template_of(open_body), 8))
        gap = SurfaceGap(4, small)
        assert (np.bincount(small.group_of_anchor) == 0).any()
        seen = gap.observe(torch.ones(2, 9, 9, dtype=torch.bool), torch.rand(2, 9, 9, 2))
        assert gap.gaps(seen, *state()).isfinite().all()

    def test_a_body_that_fits_its_own_iuv_has_small_gaps(self, surface, open_body, open_atlas):
        people = SyntheticPeople(open_body, open_atlas, seed=2)
        gap = SurfaceGap(4, surface)
        for index in range(3):
            sample = people.iuv_sample(index)
            truth = [torch.from_numpy(each)[None] for each in (sample.rotmats, sample.betas)]
            seen = gap.observe(
                torch.from_numpy(sample.mask)[None], torch.from_numpy(sample.uv)[None]
            )
            camera = torch.from_numpy(sample.camera)[None]
            found, moved = (
                gap.gaps(seen, *truth, camera + torch.tensor([[0.0, shift, 0.0]]))
                for shift in (0.0, 0.2)
            )
            known = found[..., 2] > 0
            assert known.any() and not found[..., :2][~known].any()
            right = found[..., :2][known].abs().median()
            assert 2 * right < moved[..., 0][known].abs().median()


class TestSurfaceInTheRegressor:
    @staticmethod
    def regressor(surface):
        torch.manual_seed(0)
        return IterativeRegressor(10, hidden=16, surface=surface)

    @pytest.fixture
    def toy(self):
        """Four texels, one anchor each, at the joints."""
        anchors = np.arange(4).reshape(2, 2)
        return Surface(anchors, np.array([0, 0, 1, 1]), lambda *pose: joints_of(*pose)[:, :4])

    def test_starts_silent_learns_and_asks_before_every_step(self, toy):
        regressor = self.regressor(toy)
        iuv = torch.ones(2, 4, 4, dtype=torch.bool), torch.rand(2, 4, 4, 2)
        inputs = Completed(torch.rand(2, 6)), torch.rand(2, 4)
        first = regressor(*inputs, None, iuv)
        torch.testing.assert_close(first.rotmats, regressor(*inputs).rotmats)
        first.camera.sum().backward()
        assert regressor.surface_gap.enter.weight.grad.any()
        torch.nn.init.normal_(regressor.surface_gap.enter.weight)
        torch.nn.init.normal_(regressor.decode_camera.weight)
        asked, gaps = [], regressor.surface_gap.gaps
        regressor.surface_gap.gaps = lambda *about: (asked.append(about[3]), gaps(*about))[1]
        found = regressor(*inputs, None, iuv)
        assert len(asked) == regressor.iterations and not torch.equal(asked[1], asked[2])
        assert not torch.equal(found.camera, regressor(*inputs).camera)

    def test_without_a_surface_there_is_none(self):
        assert self.regressor(None).surface_gap is None
