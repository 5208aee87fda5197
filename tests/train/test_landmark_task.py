import math

import numpy as np
import pytest
import torch
from tiny import STANDING_PX, write_lspet

from dimr.correspondence.landmarks import LandmarkNet, SecondOpinion
from dimr.data.synthetic.people import SyntheticPeople
from dimr.encoder.blazepose import CIRCLE, HIPS
from dimr.encoder.blazepose_heavy import BlazePoseHeavy
from dimr.evaluate.photos import joint_photos
from dimr.image.crop import crop_to_norm
from dimr.train.landmark_recipes import (
    train_landmarks,
    train_landmarks_photos,
    train_landmarks_spread,
)
from dimr.train.landmark_samples import (
    CIRCLE_MARGIN,
    WEIGHTS,
    DrawnPeople,
    LabelledPeople,
    circle_around,
    labelled_places,
    mended,
    shaded,
    surrounded,
)
from dimr.train.landmarks import (
    DEPTH,
    MISTURNED,
    SEEN,
    WORLD,
    LandmarkTask,
    first_window,
    landmark_loss,
    on_mask,
    rough_window,
)
from dimr.train.photos import LANDMARKS, MIRROR
from dimr.train.recipes import train_stage1_decoder
from dimr.train.run import Run, surface_of
from dimr.train.weights import (
    ENCODER_FILE,
    LANDMARKS_FILE,
    OUTLINES_FILE,
    STAGE1_FILE,
    load_landmarks,
    load_stage1,
    save_landmarks,
    stage1_files,
    weights_folder,
)


@pytest.fixture(scope="module")
def body_and_atlas(tmp_path_factory):
    return surface_of(Run(folder=tmp_path_factory.mktemp("run")))


@pytest.fixture(scope="module")
def drawn(body_and_atlas):
    body, atlas = body_and_atlas
    return DrawnPeople(SyntheticPeople(body, atlas, seed=3), body)


@pytest.fixture
def lspet(tmp_path):
    folder = tmp_path / "lspet"
    # the second is for validation, the third is kept back
    write_lspet(folder, (20, 21, 22, 23), unknown=0)
    return folder


def batch_of(samples, count=2):
    return torch.utils.data.default_collate([samples[index] for index in range(count)])


def same_shape(points, others):
    """How far apart points are that were moved onto others and scaled, never turned or flipped."""
    a, b = (each - each.mean(0) for each in (points, others))
    scale = (a * b).sum() / (a * a).sum()
    return np.abs(scale * a - b).max() + max(0.0, -scale)


class TestSurrounded:
    """The crop of a square mark is 1.25 times as wide, what surrounds it 1.5 times that."""

    @pytest.fixture
    def sample(self, monkeypatch):
        monkeypatch.setattr("dimr.train.surroundings.SHIFT", 0.0)
        monkeypatch.setattr("dimr.train.surroundings.ZOOM", 0.0)
        picture = np.zeros((128, 128, 3), np.uint8)
        picture[40:72, 64:96] = 200  # norm: from (0, -0.375) to (0.5, 0.125)
        visible = picture[::2, ::2, 0] > 0
        marker = np.stack([visible, np.zeros_like(visible)]).astype(np.float32)
        places = np.zeros((39, 6), np.float32)
        places[:, :3], places[0, :2], places[:, 3:] = 0.1, (0.5, 0.125), 0.3
        self.rng = np.random.default_rng(0)
        return lambda mark=marker, seen=visible: surrounded(picture, mark, seen, places, self.rng)

    def test_the_mark_is_in_the_middle_of_everything(self, sample):
        found, half = sample(), 288 / 1.25 / 1.5 / 2
        assert found["image"].shape == (288, 288, 3) and found["visible"].shape == (144, 144)
        wanted = [143.5 - half + 0.5, 143.5 + half - 0.5]
        for axis in (0, 1):
            inside = np.flatnonzero((found["image"][..., 0] > 100).any(axis))
            assert inside[[0, -1]] == pytest.approx(wanted, abs=1)
            on_mark = np.flatnonzero((found["marker"][0] > 0.5).any(axis))
            assert on_mark[[0, -1]] == pytest.approx(np.array(wanted) / 2, abs=1)
        assert not found["marker"][1].any()
        assert (found["visible"] == (found["marker"][0] > 0.5)).all()

    def test_places_move_along_and_metres_stay(self, sample):
        places = sample()["places"]
        assert places[0, :2] == pytest.approx([1 / 1.875, 1 / 1.875], abs=1e-5)
        assert places[:, 2] == pytest.approx(0.1 / 0.25 / 1.875, abs=1e-5)
        assert (places[:, 3:] == np.float32(0.3)).all()

    def test_without_a_mark_it_is_about_what_is_seen_and_without_that_about_all(self, sample):
        marked = sample()["image"]
        assert np.array_equal(sample(np.zeros((2, 64, 64), np.float32))["image"], marked)
        nobody = np.zeros((64, 64), bool)
        wide = sample(np.zeros((2, 64, 64), np.float32), nobody)["image"]
        assert (wide > 100).sum() == pytest.approx((marked > 100).sum() / 16, rel=0.1)

    def test_crops_are_a_little_off(self, sample, monkeypatch):
        monkeypatch.setattr("dimr.train.surroundings.SHIFT", 0.03)
        first, second = (sample()["places"][0, :2] for _ in range(2))
        assert 0.001 < np.linalg.norm(first - second) < 0.5


class TestCircle:
    def test_straight_above_the_hips_as_far_as_the_farthest_point(self):
        points = np.array([[0.0, 1.0], [0.2, -0.5]])
        found = circle_around(points, np.array([0.3, 0.0]), np.zeros(2), 1.1)
        assert found == pytest.approx([1.1, 0.0])

    def test_a_trunk_seen_from_above_points_upwards(self):
        found = circle_around(np.array([[0.5, 0.0]]), np.zeros(2), np.zeros(2), 1.0)
        assert found == pytest.approx([0.0, -0.5])


class TestDrawnPeople:
    def test_landmarks_are_where_joints_are(self, drawn):
        for index in range(4):
            sample, truth = drawn[index], drawn.marked.people.crop_sample(index)
            elbow, knee = 18, 4  # SMPL's, of the left
            joints = truth.keypoints_norm[[elbow, knee, 2, 16]]
            assert same_shape(sample["places"][[13, 25, 24, 11], :2], joints) < 0.2
            world = sample["places"][[23, 24], 3:].mean(0)
            assert world == pytest.approx([0, 0, 0], abs=1e-5)

    def test_the_circle_holds_all_landmarks(self, drawn):
        places = drawn[0]["places"][:, :2]
        radius = np.linalg.norm(places[CIRCLE] - places[HIPS])
        farthest = np.linalg.norm(places[:33] - places[HIPS], axis=1).max()
        assert radius == pytest.approx(CIRCLE_MARGIN * farthest, rel=1e-5)

    def test_whoever_is_meant_is_marked_unless_alone(self, drawn):
        for index in range(12):
            sample = drawn[index]
            others = (drawn.marked.people.crop_sample(index).labels.person_id > 0).any()
            assert sample["marker"][0].any() or not others

    def test_auxiliary_landmarks_that_nobody_knows_do_not_count(self, drawn):
        weight = drawn[0]["weight_2d"]
        assert not weight[CIRCLE + 1 :].any() and weight[: CIRCLE + 1].all()
        assert (weight[: CIRCLE + 1] == WEIGHTS[: CIRCLE + 1]).all()


class TestLabelledPeople:
    def test_twelve_joints_by_hand(self):
        norm = crop_to_norm(STANDING_PX, 192)
        places, weight = labelled_places(norm[:12], norm[12:])
        assert places[LANDMARKS, :2] == pytest.approx(norm[:12])
        assert set(np.flatnonzero(weight)) == {*LANDMARKS.tolist(), HIPS, CIRCLE}
        assert places[HIPS, :2] == pytest.approx(norm[2:4].mean(0))
        assert places[CIRCLE, 1] < norm[13, 1]  # above the head

    def test_unknown_joints_do_not_count_and_leave_no_circle(self):
        norm = crop_to_norm(STANDING_PX, 192)
        norm[:3] = np.nan  # an ankle, a knee, a hip
        places, weight = labelled_places(norm[:12], norm[12:])
        assert weight.sum() == 9 and not weight[[HIPS, CIRCLE]].any()
        assert np.isfinite(places).all()

    def test_as_they_are(self, lspet):
        photos = joint_photos(lspet, validation=False)
        sample = LabelledPeople(photos, [], augmented=False)[1]
        norm = crop_to_norm(STANDING_PX[:12], 192)
        assert same_shape(sample["places"][LANDMARKS, :2], norm) < 1e-5
        assert sample["weight_3d"] == 0 and sample["visible"].shape == (144, 144)

    def test_a_mirrored_photograph_has_left_and_right_exchanged(self, lspet):
        joints_px = STANDING_PX[:12].copy()
        joints_px[0] += 9, -5  # a step
        photo = joint_photos(lspet, validation=False)[1]._replace(joints_px=joints_px)
        samples = LabelledPeople([photo], [], seed=0)
        norm = crop_to_norm(joints_px, 192)
        mirrored = norm[MIRROR] * np.array([-1, 1])
        found = [samples[k]["places"][LANDMARKS, :2] for k in range(12)]
        assert {same_shape(each, mirrored) < 1e-4 for each in found} == {True, False}
        for each in found:
            assert min(same_shape(each, norm), same_shape(each, mirrored)) < 1e-4

    def test_things_hide_but_never_all(self, lspet):
        cutout = np.full((150, 150, 4), 255, np.uint8)
        photos = joint_photos(lspet, validation=False)
        samples = LabelledPeople(photos, [cutout], seed=1)
        assert all(samples[k]["visible"].any() for k in range(12))

    def test_another_light_changes_no_shape(self):
        rng = np.random.default_rng(0)
        picture = rng.integers(0, 255, (8, 8, 3)).astype(np.uint8)
        other = shaded(picture, rng)
        assert other.shape == picture.shape and other.dtype == np.uint8
        assert not np.array_equal(other, picture)


def test_labels_whose_sides_are_exchanged_are_mended(lspet, monkeypatch):
    photos = joint_photos(lspet, validation=False)[1:]
    wrong = photos[0]._replace(joints_px=photos[0].joints_px[MIRROR])
    pose = torch.zeros(2, 39, 10)
    right = batch_of(LabelledPeople([photos[0], photos[0]], [], augmented=False))
    pose[..., :2], pose[..., 3] = right["places"][..., :2], 1.0
    monkeypatch.setattr("dimr.train.landmark_samples.look_at_pose", lambda *_: pose)
    for photo in mended(LandmarkNet(), [wrong, photos[1]]):
        assert photo.joints_px == pytest.approx(STANDING_PX[:12])


class TestWindows:
    @staticmethod
    def lying(count, known=1.0):
        """The body's top is to the right."""
        places = torch.zeros(count, 39, 6)
        places[:, CIRCLE, 0] = 0.5
        return {"places": places, "weight_2d": torch.full((count, 39), known)}

    def test_first_looks_are_turned_by_the_quarter_that_is_upright_or_by_another(self):
        torch.manual_seed(0)
        middle, axes, right = first_window(self.lying(400))
        angle = torch.atan2(axes[:, 1, 0], axes[:, 0, 0])
        assert right.mean() == pytest.approx(1 - MISTURNED, abs=0.06)
        assert (angle[right > 0] - math.pi / 2).abs().max() < 0.5
        others = (angle[right == 0] - math.pi / 2).remainder(2 * math.pi)
        assert all(
            ((others - turn).abs() < 0.5).any() for turn in (math.pi / 2, math.pi, 3 * math.pi / 2)
        )
        assert ((others > 1) & (others < 2 * math.pi - 1)).all()
        assert middle.abs().max() < 0.3
        assert ((axes.det().sqrt() > 0.89) & (axes.det().sqrt() < 1.16)).all()

    def test_a_body_that_nobody_knows_is_not_turned(self):
        _, axes, right = first_window(self.lying(50, known=0.0))
        assert right.all() and torch.atan2(axes[:, 1, 0], axes[:, 0, 0]).abs().max() < 0.5

    def test_second_looks_are_about_the_body(self, drawn):
        torch.manual_seed(0)
        batch = batch_of(drawn)
        batch["places"][:, HIPS, :2] = torch.tensor([0.0, 0.1])
        batch["places"][:, CIRCLE, :2] = torch.tensor([0.0, -0.4])
        many = {name: torch.cat([value] * 40) for name, value in batch.items()}
        middle, axes, right = rough_window(many)
        assert right.all()
        assert (middle.mean(0) - torch.tensor([0.0, 0.1])).norm() < 0.05
        assert axes.det().sqrt().mean() == pytest.approx(1.25 * 0.5, abs=0.05)
        assert torch.atan2(axes[:, 1, 0], axes[:, 0, 0]).median().abs() < 0.15

    def test_where_nobody_knows_the_body_it_is_a_first_look(self, drawn):
        batch = batch_of(drawn)
        batch["weight_2d"][:, CIRCLE] = 0
        _, axes, _ = rough_window(batch)
        assert (axes.det().sqrt() > 0.89).all()


def test_misturned_looks_teach_nothing_but_that_they_are(drawn, monkeypatch):
    batch = batch_of(drawn)
    poses = torch.zeros(4, 39, 8, requires_grad=True)
    upright = torch.full((4,), 0.5, requires_grad=True)
    monkeypatch.setattr("dimr.train.landmarks.MISTURNED", 1.0)
    monkeypatch.setattr("dimr.train.landmarks.look", lambda *_: (poses + 0.1, upright, None, None))
    found = LandmarkTask(LandmarkNet(), drawn, drawn).loss(batch, 0)
    found.total.backward()
    assert not poses.grad[:2].any() and poses.grad[2:].any()
    assert (upright.grad[:2] > 0).all() and (upright.grad[2:] < 0).all()
    assert found.terms["upright"] == pytest.approx(math.log(2))


class TestLoss:
    @staticmethod
    def batch():
        places = torch.zeros(1, 39, 6)
        places[:, CIRCLE, 1] = -0.5
        return {
            "places": places,
            "weight_2d": torch.ones(1, 39),
            "weight_3d": torch.ones(1),
            "visible": torch.ones(1, 8, 8, dtype=torch.bool),
        }

    @staticmethod
    def truth(batch):
        pose = torch.zeros(1, 39, 8)
        pose[..., :3], pose[..., 5:] = batch["places"][..., :3], batch["places"][..., 3:]
        pose[..., 3:5] = 1
        return pose

    def test_the_truth_costs_nothing(self):
        batch = self.batch()
        assert float(landmark_loss(self.truth(batch), batch).total) < 1e-3

    def test_by_hand(self):
        batch = self.batch()
        pose = self.truth(batch)
        pose[:, 7, 0] += 0.1  # a fifth of the radius
        pose[:, 8, 2] += 0.2  # two fifths, in depth
        pose[:, 9, 5] += 0.39  # in metres
        pose[:, 10, 3] = math.exp(-1)  # one nat, of two probabilities
        known, deep = 39, 33
        terms = landmark_loss(pose, batch)
        assert terms.terms["place"] == pytest.approx(0.2 / known, abs=3e-4)
        assert terms.terms["depth"] == pytest.approx(0.4 / deep, abs=1e-5)
        assert terms.terms["world_m"] == pytest.approx(0.39 / deep, abs=3e-4)
        assert terms.terms["seen"] == pytest.approx(0.5 / known, abs=1e-5)
        parts = [terms.terms[name] for name in ("place", "world_m", "depth", "seen")]
        total = parts[0] + WORLD * parts[1] + DEPTH * parts[2] + SEEN * parts[3]
        assert float(terms.total) == pytest.approx(total)

    def test_photographs_teach_places_alone(self):
        batch = self.batch() | {"weight_3d": torch.zeros(1)}
        pose = self.truth(batch)
        pose[..., 2] += 1
        pose[..., 5:] += 1
        assert float(landmark_loss(pose, batch).total) < 1e-3

    def test_nothing_known_is_no_error(self):
        batch = self.batch() | {"weight_2d": torch.zeros(1, 39)}
        pose = self.truth(batch).requires_grad_()
        loss = landmark_loss(pose + 1, batch).total
        loss.backward()
        assert float(loss.detach()) == 0 and pose.grad.isfinite().all()

    def test_seen_is_what_lies_on_the_mask_or_beside_it(self):
        visible = torch.zeros(1, 10, 10, dtype=torch.bool)
        visible[:, 4:6, 4:6] = True  # from -0.2 to 0.2
        places = torch.zeros(1, 39, 2)
        places[0, 1, 0], places[0, 2, 0], places[0, 3, 0] = 0.5, 0.7, 3.0
        assert on_mask(places, visible)[0, :4].tolist() == [True, True, False, False]


def test_one_update_of_the_task_changes_mark_and_branch_but_not_the_stem(drawn):
    network = LandmarkNet.pretrained()
    task = LandmarkTask(network, drawn, drawn, num_validation=2)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimizer = torch.optim.SGD(task.parameter_groups(1e-3), momentum=0.0)
    torch.manual_seed(0)
    task.loss(batch_of(drawn), 0).total.backward()
    optimizer.step()
    changed = {
        name.split(".")[0] + "." + name.split(".")[1]
        for name, value in network.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert {"branch.landmarks", "branch.world_landmarks", "mark.2", "stages.2"} <= changed
    assert not {"stem.0", "stages.0", "stages.1"} & changed
    metrics = task.validate(network.eval())
    assert metrics["score"] == pytest.approx(metrics["place"] + metrics["world_m"])


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr("dimr.train.landmark_recipes.SPREAD_SAMPLES", 10)


@pytest.mark.usefixtures("few")
class TestRecipes:
    def test_a_run_gives_weights_that_stage_1_takes(self, body_and_atlas, tmp_path):
        run = Run(folder=tmp_path / "run", steps=1, validation=2)
        train_landmarks(run, *body_and_atlas)
        folder = run.folder / "weights"
        network, card = load_landmarks(folder, *body_and_atlas)
        assert card["recipe"] == "landmarks" and card["licence"] == "Apache-2.0"
        assert card["spread"]["spread_ratio"] > 0 and network.spread.bias.std() > 0
        with pytest.raises(ValueError, match="stage1"):
            load_stage1(folder, *body_and_atlas)
        stage1 = (weights_folder("open") / "stage1.safetensors").read_bytes()
        (folder / "stage1.safetensors").write_bytes(stage1)
        card_text = (weights_folder("open") / "stage1.json").read_text()
        (folder / "stage1.json").write_text(card_text)
        found = load_stage1(folder, *body_and_atlas).poser
        assert found is not None
        for name, value in found.state_dict().items():
            torch.testing.assert_close(value, network.state_dict()[name])

    def test_stage_1_hears_them_and_takes_them_along(self, body_and_atlas, tmp_path):
        train_landmarks(Run(folder=tmp_path / "a", steps=1, validation=2), *body_and_atlas)
        wanted = load_landmarks(tmp_path / "a" / "weights", *body_and_atlas)[0].state_dict()
        run = Run(
            folder=tmp_path / "b",
            stage1=weights_folder("open"),
            landmarks=tmp_path / "a" / "weights",
            steps=1,
            validation=2,
        )
        train_stage1_decoder(run, *body_and_atlas)
        found = load_stage1(run.folder / "weights", *body_and_atlas).poser
        assert found is not None
        for name, value in found.state_dict().items():
            assert torch.equal(value, wanted[name]), name

    def test_photographs_join_and_the_card_says_so(self, body_and_atlas, lspet, tmp_path):
        train_landmarks(Run(folder=tmp_path / "a", steps=1, validation=2), *body_and_atlas)
        run = Run(
            folder=tmp_path / "b",
            landmarks=tmp_path / "a" / "weights",
            lspet=lspet,
            steps=1,
            validation=2,
        )
        best = train_landmarks_photos(run, *body_and_atlas)
        _, card = load_landmarks(run.folder / "weights", *body_and_atlas)
        assert "photographs of LSP-Extended: 2" in card["data"]
        assert "research" in card["licence"] and card["goes_on_from"]["recipe"] == "landmarks"
        assert 0 <= best["photo_pck"] <= 1

    def test_how_far_off_they_are_may_be_learnt_anew(self, body_and_atlas, lspet, tmp_path):
        train_landmarks(Run(folder=tmp_path / "a", steps=1, validation=2), *body_and_atlas)
        before, card = load_landmarks(tmp_path / "a" / "weights", *body_and_atlas)
        run = Run(folder=tmp_path / "b", landmarks=tmp_path / "a" / "weights", seed=1, lspet=lspet)
        told = train_landmarks_spread(run, *body_and_atlas)
        after, again = load_landmarks(run.folder / "weights", *body_and_atlas)
        assert again["spread"] == told and told["second_spread_ratio"] > 0
        assert "photographs" in again["spread_data"] and again["recipe"] == card["recipe"]
        assert "research" in again["licence"] and "research" not in card["licence"]
        known = before.state_dict()
        changed = {name for name, v in after.state_dict().items() if not v.equal(known[name])}
        biases = {f"{each}spread.bias" for each in ("", "second.")}
        # weights are zero where the features of so few people tell nothing
        assert biases <= changed <= biases | {f"{each}spread.weight" for each in ("", "second.")}
        with pytest.raises(ValueError, match="--landmarks"):
            train_landmarks_spread(Run(folder=tmp_path / "c"), *body_and_atlas)

    @pytest.mark.parametrize("seed", [51, 82])
    def test_but_not_from_people_whom_a_part_of_the_training_has_seen(
        self, seed, body_and_atlas, tmp_path
    ):
        run = Run(folder=tmp_path, landmarks=weights_folder("open"), seed=seed)
        with pytest.raises(ValueError, match=rf"--seed: got {seed}.*\[51, 41, 282, 82\]"):
            train_landmarks_spread(run, *body_and_atlas)

    def test_the_second_opinion_is_not_in_the_file(self, body_and_atlas, tmp_path):
        network = LandmarkNet()
        save_landmarks(tmp_path / "one", network, *body_and_atlas, {})
        assert load_landmarks(tmp_path / "one", *body_and_atlas)[0].second is None
        network.second = SecondOpinion()
        network.second.spread.bias.data.fill_(-1)
        save_landmarks(tmp_path / "two", network, *body_and_atlas, {})
        assert (tmp_path / "two" / LANDMARKS_FILE).stat().st_size < 7e6
        found = load_landmarks(tmp_path / "two", *body_and_atlas)[0].second
        assert found is not None and (found.spread.bias == -1).all()
        original = BlazePoseHeavy.pretrained().state_dict()
        for name, value in found.network.state_dict().items():
            assert torch.equal(value, original[name]), name

    def test_it_asks_for_photographs(self, body_and_atlas, tmp_path):
        with pytest.raises(ValueError, match="--lspet"):
            train_landmarks_photos(Run(folder=tmp_path), *body_and_atlas)

    def test_a_folder_without_the_file_has_the_original(self, body_and_atlas, tmp_path):
        network, card = load_landmarks(tmp_path, *body_and_atlas)
        assert not card and not (tmp_path / LANDMARKS_FILE).exists()
        assert not network.mark[-1].weight.any()

    def test_landmarks_are_part_of_stage_1_where_they_are(self, tmp_path):
        names = [path.name for path in stage1_files(weights_folder("open"))]
        assert names == [STAGE1_FILE, LANDMARKS_FILE, OUTLINES_FILE, ENCODER_FILE]
        assert stage1_files(tmp_path) == [tmp_path / STAGE1_FILE]
