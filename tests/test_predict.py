from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from dimr import predict
from dimr.body.camera import crop_lens, default_camera, fit_weak, full_to_norm
from dimr.body.landmarks import LIMB_LANDMARKS
from dimr.body.model import BodyModel
from dimr.body.rotation import axis_angle_to_rotmat
from dimr.commands import predict as commands_predict
from dimr.correspondence.network import CropFeatures
from dimr.correspondence.people import mask_to_detection
from dimr.correspondence.stage1 import Stage1
from dimr.encoder.blazepose import Pyramid
from dimr.image.crop import box_to_crop
from dimr.network.dimr import Dimr
from dimr.surface.atlas import Atlas, load_atlas
from dimr.surface.iuv import crop_iuv
from dimr.surface.render import render_iuv
from dimr.types import Crop, Detection, Iuv, Regression

WIDTH, HEIGHT = 640, 360
CAMERA = default_camera(WIDTH, HEIGHT)
PICTURE = np.zeros((HEIGHT, WIDTH, 3), np.uint8)


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return BodyModel.load(None)


@pytest.fixture(scope="module")
def atlas() -> Atlas:
    return load_atlas(None)


class KnownPerson:
    """Somebody whose pose, shape and place are known, with what a perfect stage 1 would see."""

    def __init__(self, body: BodyModel, atlas: Atlas, seed: int, place_m: tuple[float, ...]):
        rng = np.random.default_rng(seed)
        theta = rng.normal(0, 0.2, (24, 3))
        yaw = cv2.Rodrigues(np.array([0, rng.uniform(-2, 2), 0]))[0]
        theta[0] = cv2.Rodrigues(np.diag([1.0, -1.0, -1.0]) @ yaw)[0][:, 0]
        self.theta_rad = theta.astype(np.float32)
        self.betas = rng.normal(0, 1, 10).astype(np.float32)
        self.rotmats = axis_angle_to_rotmat(torch.from_numpy(self.theta_rad))[None]
        with torch.inference_mode():
            posed = body(self.rotmats, torch.from_numpy(self.betas)[None])
        self.joints_m = posed.joints_m[0].numpy()
        self.translation_m = np.float32(place_m)
        self.vertices_cam_m = posed.vertices_m[0].numpy() + self.translation_m
        self.joints_cam_m = self.joints_m + self.translation_m
        self.iuv, _ = render_iuv(self.vertices_cam_m, atlas, CAMERA, (HEIGHT, WIDTH))
        self.detection = mask_to_detection(0.75, self.iuv.mask)

    def regression(self, crop: Crop) -> Regression:
        """What a perfect stage 2 would say of a crop."""
        seen_norm = full_to_norm(crop, CAMERA.project(self.joints_cam_m))
        camera = fit_weak(self.joints_m, seen_norm.astype(np.float32))
        return Regression(
            self.rotmats, torch.from_numpy(self.betas)[None], torch.from_numpy(camera)[None]
        )


POSE = torch.zeros(1, 39, 10)


class PerfectStage1(Stage1):
    """Knows the people; counts its encoder passes."""

    device = torch.device("cpu")

    def __init__(self, people: list[KnownPerson]):
        self.people = people
        self.encoder = nn.Identity()
        self.passes = 0
        self.crops: list[Crop] = []
        self.confirmer = None

    def find_people(self, picture: np.ndarray) -> list[Detection]:
        return [person.detection for person in self.people]

    def refine_crop(self, detection: Detection) -> Crop:
        self.crops.append(box_to_crop(detection.box_px, 192, 1.25))
        return self.crops[-1]

    def see(self, picture: np.ndarray, detection: Detection, crop: Crop) -> CropFeatures:
        assert crop == self.crops[-1]
        self.passes += 1
        marker = self.marker(detection, crop)
        pyramid = Pyramid(
            *(
                torch.full((1, channels, 192 // stride, 192 // stride), float(stride))
                for channels, stride in ((16, 2), (48, 4), (48, 8), (48, 16), (144, 32), (864, 32))
            )
        )
        return CropFeatures(pyramid, marker, POSE, pyramid.maps)

    def marker(self, detection: Detection, crop: Crop) -> torch.Tensor:
        self.marked = detection.mask
        return torch.zeros(1, 2, 96, 96)

    def refine(self, features: CropFeatures) -> Iuv:
        whose = next(
            p for p in self.people if p.iuv.mask is self.marked or p.detection.mask is self.marked
        )
        return crop_iuv(whose.iuv, self.crops[-1])


class PerfectStage2(Dimr):
    """Knows the people, and looks at the crops that stage 1 made."""

    def __init__(self, stage1: PerfectStage1):
        nn.Module.__init__(self)
        self.stage1 = [stage1]
        self.encoder = stage1.encoder
        self.inputs: list[tuple] = []

    def regress_from(self, maps, mask, uv, image=None, pose=None) -> Regression:
        self.inputs.append((maps, mask, uv, image))
        assert pose is POSE
        stage1 = self.stage1[0]
        crop = stage1.crops[-1]
        for person in stage1.people:
            if np.array_equal(crop_iuv(person.iuv, crop).mask, mask[0].numpy()):
                return person.regression(crop)
        raise AssertionError("nobody known is in this crop")


def perfect_model(body: BodyModel, atlas: Atlas, people: list[KnownPerson]) -> predict.Model:
    stage1 = PerfectStage1(people)
    return predict.Model(body, atlas, stage1, PerfectStage2(stage1))


def test_people_of_whom_stage_1_is_not_sure_enough_are_left_out(body, atlas):
    known = [KnownPerson(body, atlas, k, PLACES[k]) for k in range(2)]
    for person, score in zip(known, (0.9, 0.4), strict=True):
        person.detection = person.detection._replace(score=score)
    model = perfect_model(body, atlas, known)
    for least, number in ((0.0, 2), (0.4, 2), (0.41, 1), (0.95, 0)):
        assert len(model.predict(PICTURE, min_score=least).people) == number


PLACES = [(0.0, 0.3, 7.5), (-2.0, 0.4, 9.0), (3.5, -0.5, 13.5)]


class TestGeometry:
    """Perfect stages, no refinement: what is left is crop, weak perspective and translation."""

    @pytest.mark.parametrize("seed", range(3))
    def test_people_come_back_where_they_are(self, body, atlas, seed):
        known = [KnownPerson(body, atlas, 10 * seed + k, PLACES[k]) for k in range(3)]
        prediction = perfect_model(body, atlas, known).predict(PICTURE, refine=False)
        assert prediction.picture_size == (WIDTH, HEIGHT)
        for person, truth in zip(prediction.people, known, strict=True):
            rotmats = axis_angle_to_rotmat(torch.from_numpy(person.theta_rad))
            assert (rotmats - truth.rotmats[0]).abs().max() < 1e-4
            assert np.allclose(person.betas, truth.betas)
            size_px = np.ptp(truth.detection.box_px[1::2])
            gaps_px = person.keypoints_px - CAMERA.project(truth.joints_cam_m)
            # weak perspective leaves an error off the optical axis, where it sees people turned
            on_axis = truth.translation_m[0] == 0
            assert np.abs(gaps_px).max() < (0.02 if on_axis else 0.05) * size_px
            depth_ratio = person.joints_cam_m[0, 2] / truth.joints_cam_m[0, 2]
            assert abs(depth_ratio - 1) < (0.025 if on_axis else 0.08)
            drawn, _ = render_iuv(person.vertices_cam_m, atlas, CAMERA, (HEIGHT, WIDTH))
            union = (drawn.mask | truth.iuv.mask).sum()
            overlap = (drawn.mask & truth.iuv.mask).sum() / union
            assert overlap > (0.85 if on_axis else 0.6)

    def test_far_away_weak_perspective_is_exact(self, body, atlas):
        """At 60 m the error of a joint is below a hundredth of the person's height."""
        truth = KnownPerson(body, atlas, 5, (3.0, 1.0, 60.0))
        (person,) = perfect_model(body, atlas, [truth]).predict(PICTURE, refine=False).people
        gaps = person.keypoints_px - CAMERA.project(truth.joints_cam_m)
        assert np.abs(gaps).max() < 0.01 * np.ptp(truth.detection.box_px[1::2])

    def test_a_focal_length_of_the_callers_own_moves_people_along(self, body, atlas):
        truth = KnownPerson(body, atlas, 5, (0.0, 0.3, 30.0))
        model = perfect_model(body, atlas, [truth])
        near, far = (
            model.predict(PICTURE, refine=False, focal_px=focal).people[0]
            for focal in (0.5 * CAMERA.focal_px, 2 * CAMERA.focal_px)
        )
        assert (near.focal_px, far.focal_px) == (0.5 * CAMERA.focal_px, 2 * CAMERA.focal_px)
        assert far.joints_cam_m[0, 2] == pytest.approx(4 * near.joints_cam_m[0, 2], rel=0.05)
        gap = np.abs(far.keypoints_px - near.keypoints_px).max()
        assert gap < 0.03 * np.ptp(truth.detection.box_px[1::2])

    @pytest.mark.parametrize("focal", [0.0, -1.0, float("nan"), float("inf")])
    def test_a_focal_length_that_is_none_is_refused(self, body, atlas, focal):
        with pytest.raises(
            ValueError, match=r"focal_px: got .*, want a positive number of pixels"
        ):
            perfect_model(body, atlas, []).predict(PICTURE, focal_px=focal)

    def test_without_refinement_what_is_seen_lies_where_stage_2_has_it(self, body, atlas):
        """A close-up: the root, whose depth weak perspective means, is far below the picture."""
        truth = KnownPerson(body, atlas, 5, (0.0, 0.6, 2.2))
        (person,) = perfect_model(body, atlas, [truth]).predict(PICTURE, refine=False).people
        camera = truth.regression(person.crop).camera[0].numpy()
        own_m = (truth.vertices_cam_m - truth.translation_m)[person.vertex_seen]
        wanted = camera[0] * own_m[:, :2] + camera[1:]
        seen_px = CAMERA.project(person.vertices_cam_m[person.vertex_seen])
        gap = np.abs(full_to_norm(person.crop, seen_px) - wanted).mean()
        assert gap < 0.015

    def test_refinement_leaves_somebody_close_where_they_are(self, body, atlas):
        """Stage 2's weak perspective cannot show them; the lens of the picture can."""
        truth = KnownPerson(body, atlas, 5, (0.2, 0.1, 4.5))
        (person,) = perfect_model(body, atlas, [truth]).predict(PICTURE).people
        gaps = person.keypoints_px - CAMERA.project(truth.joints_cam_m)
        assert np.abs(gaps).mean() < 0.01 * np.ptp(truth.detection.box_px[1::2])
        root_m = body.joints_rest(torch.from_numpy(person.betas)[None])[0, 0].numpy()
        own_m = (person.vertices_cam_m - person.joints_cam_m[0] + root_m)[person.vertex_seen]
        weak = person.camera_crop[0] * own_m[:, :2] + person.camera_crop[1:]
        seen_px = CAMERA.project(person.vertices_cam_m[person.vertex_seen])
        gap = np.abs(weak - full_to_norm(person.crop, seen_px)).mean()
        assert 0.003 < gap < 0.03  # what weak perspective can show of it

    def test_vertices_and_joints_move_together(self, body, atlas):
        truth = KnownPerson(body, atlas, 3, PLACES[0])
        (person,) = perfect_model(body, atlas, [truth]).predict(PICTURE, refine=False).people
        moved = person.joints_cam_m[0] - truth.joints_cam_m[0]
        assert np.allclose(person.joints_cam_m - truth.joints_cam_m, moved, atol=1e-4)
        assert np.allclose(person.vertices_cam_m - truth.vertices_cam_m, moved, atol=1e-4)


class TestSeen:
    def test_hidden_half_is_completed_not_seen(self, body, atlas):
        truth = KnownPerson(body, atlas, 1, (0.0, 0.0, 9.0))
        whole = perfect_model(body, atlas, [truth]).predict(PICTURE).people[0]
        hips_px = round(float(CAMERA.project(truth.joints_cam_m)[0, 1]))
        mask = truth.iuv.mask & (np.arange(HEIGHT)[:, None] < hips_px)
        truth.iuv = Iuv(mask, np.where(mask[..., None], truth.iuv.uv, 0))
        half = perfect_model(body, atlas, [truth]).predict(PICTURE).people[0]
        feet, head = [7, 8, 10, 11], [15]
        assert (whole.part_seen[feet] > 0).all() and whole.part_seen[head] > 0.03
        assert (half.part_seen[feet] == 0).all() and half.part_seen[head] > 0.03
        assert (half.part_confidence[feet] == 0).all() and half.part_confidence[15] == 1
        assert half.vertex_seen.sum() < 0.8 * whole.vertex_seen.sum()

    def test_confidence_of_a_part_is_the_mean_of_its_pixels(self, atlas):
        part = atlas.texels(128).part
        rows, cols = np.nonzero(part == 15)
        uv = (np.stack([cols, rows], 1)[None, :2] + np.float32(0.5)) / np.float32(128)
        iuv = Iuv(np.ones((1, 2), bool), uv.astype(np.float32), np.array([[0.2, 0.6]], np.float32))
        confidence = predict.part_confidence(iuv, atlas)
        assert confidence[15] == pytest.approx(0.4)
        assert (np.delete(confidence, 15) == 0).all()


class TestModel:
    def test_one_encoder_pass_serves_both_stages(self, body, atlas):
        model = perfect_model(body, atlas, [KnownPerson(body, atlas, 1, PLACES[0])])
        model.predict(PICTURE)
        assert model.stage1.passes == 1
        maps, mask, uv, image = model.stage2.inputs[0]
        assert [float(level.mean()) for level in maps] == [4, 8, 16, 32]  # not the stride-2 map
        assert mask.shape == (1, 96, 96) and uv.shape == (1, 96, 96, 2)
        assert image.shape == (1, 3, 192, 192)

    def test_stage_2_runs_its_own_encoder_if_it_has_one(self, body, atlas):
        model = perfect_model(body, atlas, [KnownPerson(body, atlas, 1, PLACES[0])])
        looks = []
        model.stage2.encoder = nn.Identity()
        model.stage2.encoder.register_forward_hook(lambda *_: looks.append(None))
        model.predict(PICTURE)
        maps, _, _, image = model.stage2.inputs[0]
        assert torch.equal(maps, image)
        assert len(looks) == 1  # a person, however often stage 2 is asked

    def test_refinement_lays_a_wrong_body_on_its_iuv(self, body, atlas):
        truth = KnownPerson(body, atlas, 5, (0.0, 0.3, 30.0))
        model = perfect_model(body, atlas, [truth])
        right = model.stage2.regress_from

        def wrong(*inputs):
            answer = right(*inputs)
            turn = torch.zeros(24, 3)
            turn[[1, 16, 18], 2] = 0.25
            return answer._replace(rotmats=answer.rotmats @ axis_angle_to_rotmat(turn))

        model.stage2.regress_from = wrong
        gaps = []
        for refine in (False, True):
            (person,) = model.predict(PICTURE, refine=refine).people
            offset = person.joints_cam_m - truth.joints_cam_m
            gaps.append(np.linalg.norm(offset - offset[:1], axis=1).mean())
        assert gaps[1] < 0.6 * gaps[0]

    @pytest.mark.parametrize("given", [False, True])
    def test_refinement_hears_landmarks_but_with_an_iuv_of_the_callers_own(
        self, body, atlas, given
    ):
        person = KnownPerson(body, atlas, 5, (0.0, 0.3, 30.0))
        model = perfect_model(body, atlas, [person])
        asked = []
        model.refine = lambda regress, iuv, landmarks, _: asked.append(landmarks) or regress(iuv)
        model.predict(PICTURE, person.iuv if given else None, refine=True)
        assert (asked[0] is None) == given

    @pytest.mark.parametrize(("visible", "times"), [(0.59, 1), (0.61, 2)])
    def test_stage_2_is_asked_again_about_people_of_whom_most_is_seen(
        self, body, atlas, visible, times
    ):
        """With the same pixels, which now show the surface of the laid body."""
        person = KnownPerson(body, atlas, 5, (0.0, 0.3, 30.0))
        model = perfect_model(body, atlas, [person])
        stage1 = model.stage1
        crop = stage1.refine_crop(person.detection)
        iuv = crop_iuv(person.iuv, crop)
        mirrored = np.where(iuv.mask[..., None], [1, 0] + iuv.uv * [-1, 1], 0).astype(np.float32)
        wrong = Iuv(iuv.mask, mirrored, np.where(iuv.mask, np.float32(0.5), np.float32(0)))
        landmarks = torch.zeros(39, 10)
        landmarks[list(LIMB_LANDMARKS), 3] = visible
        landmarks[:, 8:] = 9.0  # they may be anywhere
        asked = []

        def regress(each):
            asked.append(each)
            return person.regression(crop)

        model.refine(regress, wrong, landmarks)
        assert len(asked) == times and asked[0] is wrong
        model.refine(regress, wrong, None)
        assert len(asked) == times + 1
        if times == 2:
            assert np.array_equal(asked[1].mask, wrong.mask)
            gaps = [np.abs(each.uv - iuv.uv)[iuv.mask].mean() for each in asked[:2]]
            assert gaps[1] < 0.5 * gaps[0]

    @pytest.mark.parametrize(("visible", "rims"), [(1.0, [False, True]), (0.7, [False, False])])
    def test_everything_is_laid_through_the_same_lens(
        self, visible, rims, body, atlas, monkeypatch
    ):
        """And on rims where nearly all is seen, when stage 2 is asked once more."""
        person = KnownPerson(body, atlas, 5, (0.2, 0.1, 4.5))
        model = perfect_model(body, atlas, [person])
        crop = model.stage1.refine_crop(person.detection)
        landmarks = torch.zeros(39, 10)
        landmarks[list(LIMB_LANDMARKS), 3] = visible
        landmarks[:, 8:] = 9.0
        fits, surfaces = [], []
        for name, calls in (("fit_to_iuv", fits), ("lay_surface", surfaces)):
            real = getattr(predict, name)
            monkeypatch.setattr(
                predict,
                name,
                lambda *given, real=real, calls=calls: calls.append(given) or real(*given),
            )
        lens = crop_lens(CAMERA, crop)
        model.refine(
            lambda _: person.regression(crop), crop_iuv(person.iuv, crop), landmarks, lens
        )
        assert [each[-2] for each in fits] == [lens] * 2
        assert [each[-1] for each in surfaces] == [lens]
        assert [each[-1] for each in fits] == rims

    def test_stage_1_gets_the_surface_of_the_body_through_the_lens(self, body, atlas):
        """A mirrored surface comes right again, also of somebody close to a wide lens."""
        person = KnownPerson(body, atlas, 5, (0.2, 0.1, 4.5))
        model = perfect_model(body, atlas, [person])
        crop = model.stage1.refine_crop(person.detection)
        features = model.stage1.see(PICTURE, person.detection, crop)
        truth = crop_iuv(person.iuv, crop)
        mirrored = np.where(truth.mask[..., None], [1, 0] + truth.uv * [-1, 1], 0)
        cells = Iuv(truth.mask, mirrored.astype(np.float32), truth.mask.astype(np.float32))
        gaps = [
            np.abs(model.lay(PICTURE, crop, features, cells, focal).uv - truth.uv)[
                truth.mask
            ].mean()
            for focal in (None, 0.4 * CAMERA.focal_px)
        ]
        assert gaps[0] < 0.1 * np.abs(mirrored - truth.uv)[truth.mask].mean()
        assert gaps[1] > 1.1 * gaps[0]

    def test_nobody_found(self, body, atlas):
        assert perfect_model(body, atlas, []).predict(PICTURE).people == []

    def test_second_look_that_sees_nobody_drops_the_person(self, body, atlas):
        ghost = KnownPerson(body, atlas, 1, PLACES[0])
        ghost.iuv = Iuv(np.zeros_like(ghost.iuv.mask), np.zeros_like(ghost.iuv.uv))
        assert perfect_model(body, atlas, [ghost]).predict(PICTURE).people == []

    def test_own_iuv_takes_the_place_of_stage_1(self, body, atlas):
        known = [KnownPerson(body, atlas, k, PLACES[k]) for k in range(2)]
        model = perfect_model(body, atlas, known)
        found = model.predict(PICTURE, refine=False).people
        model.stage1.find_people = model.stage1.refine = None
        given = model.predict(PICTURE, [person.iuv for person in known], refine=False).people
        for one, other in zip(found, given, strict=True):
            assert np.array_equal(one.vertices_cam_m, other.vertices_cam_m)
            assert np.array_equal(one.iuv.uv, other.iuv.uv)
        (first,) = model.predict(PICTURE, known[0].iuv, refine=False).people
        assert np.array_equal(first.vertices_cam_m, given[0].vertices_cam_m)

    def test_parameters_rebuild_the_body(self, body, atlas):
        known = KnownPerson(body, atlas, 1, PLACES[0])
        (person,) = perfect_model(body, atlas, [known]).predict(PICTURE).people
        rotmats = axis_angle_to_rotmat(torch.from_numpy(person.theta_rad))[None]
        posed = body(rotmats, torch.from_numpy(person.betas)[None])
        rebuilt = posed.vertices_m[0].numpy() + person.translation_m
        np.testing.assert_allclose(rebuilt, person.vertices_cam_m, atol=1e-4)

    def test_own_iuvs_keep_their_scores(self, body, atlas):
        known = [KnownPerson(body, atlas, k, PLACES[k]) for k in range(2)]
        model, iuvs = perfect_model(body, atlas, known), [person.iuv for person in known]
        people = model.predict(PICTURE, iuvs, refine=False, scores=(0.1, 0.6)).people
        assert [person.score for person in people] == [0.6, 0.1]
        for scores in ((0.5,), (0.5, 1.5)):
            with pytest.raises(ValueError, match="want 2 numbers in"):
                model.predict(PICTURE, iuvs, scores=scores)

    @pytest.mark.parametrize("shape", [(HEIGHT, WIDTH), (5, 5)])
    def test_own_iuv_without_pixels_or_of_other_size_is_refused(self, body, atlas, shape):
        empty = Iuv(np.zeros(shape, bool), np.zeros((*shape, 2), np.float32))
        with pytest.raises(ValueError, match="iuv"):
            perfect_model(body, atlas, []).predict(PICTURE, empty)

    def test_own_iuv_with_places_that_are_not_finite_is_refused(self, body, atlas):
        uv = np.full((HEIGHT, WIDTH, 2), np.nan, np.float32)
        broken = Iuv(np.ones((HEIGHT, WIDTH), bool), uv)
        with pytest.raises(ValueError, match="iuv: got uv that is not finite"):
            perfect_model(body, atlas, []).predict(PICTURE, broken)

    def test_the_surest_comes_first_and_the_unsure_not_at_all(self, body, atlas):
        known = [KnownPerson(body, atlas, k, PLACES[k]) for k in range(3)]
        for person, score in zip(known, (0.4, 0.9, predict.MIN_SCORE - 0.01), strict=True):
            person.detection = person.detection._replace(score=score)
        people = perfect_model(body, atlas, known).predict(PICTURE).people
        assert [person.score for person in people] == [0.9, 0.4]
        assert predict.MIN_SCORE == commands_predict.MIN_SCORE

    def test_numbers_that_are_not_finite_are_refused(self, body, atlas, monkeypatch):
        truth = KnownPerson(body, atlas, 1, PLACES[0])
        truth.betas[:] = np.nan
        with pytest.raises(ValueError, match="finite"):
            perfect_model(body, atlas, [truth]).predict(PICTURE)

    def test_scale_at_or_below_zero_still_gives_a_person_in_front_of_the_camera(self, body, atlas):
        truth = KnownPerson(body, atlas, 1, PLACES[0])
        right = truth.regression
        truth.regression = lambda crop: right(crop)._replace(camera=torch.tensor([[-1.0, 0, 0]]))
        (person,) = perfect_model(body, atlas, [truth]).predict(PICTURE).people
        assert np.isfinite(person.vertices_cam_m).all() and person.vertices_cam_m[:, 2].min() > 0

    def test_an_arm_that_would_be_behind_the_camera_comes_before_it(self, body, atlas):
        """The whole body moves back, along the ray on which it is."""
        truth = KnownPerson(body, atlas, 1, PLACES[0])
        right = truth.regression
        truth.regression = lambda crop: right(crop)._replace(camera=torch.tensor([[40.0, 0, 0]]))
        (person,) = perfect_model(body, atlas, [truth]).predict(PICTURE, refine=False).people
        assert person.vertices_cam_m[:, 2].min() == pytest.approx(predict.NEAR_M, abs=1e-5)
        assert person.camera_crop[0] > 0

    def test_atlas_of_another_mesh_is_refused(self, body, atlas):
        stages = PerfectStage1([]), PerfectStage2(PerfectStage1([]))
        other = replace(atlas, faces=(atlas.faces + 1) % body.num_vertices)
        with pytest.raises(ValueError, match="atlas"):
            predict.Model(body, other, *stages)
        order = np.random.default_rng(0).permutation(len(atlas.faces))
        names = ("faces", "uv_faces", "part_of_face", "densepose_of_face")
        shuffled = replace(atlas, **{name: getattr(atlas, name)[order] for name in names})
        predict.Model(body, shuffled, *stages)


class TestDevice:
    def test_cpu(self):
        assert predict.parse_device("cpu") == torch.device("cpu")

    @pytest.mark.parametrize("name", ["cpuu", "cuda:77", "", "meta:x"])
    def test_device_that_is_not_there_is_refused_in_one_line(self, name):
        with pytest.raises(ValueError, match="device") as refusal:
            predict.parse_device(name)
        assert "\n" not in str(refusal.value)
