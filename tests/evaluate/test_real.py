"""Each data set, written in its format, read by its reader and measured by its protocol."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from data.real import writers
from dimr.body.camera import fit_weak, full_to_norm
from dimr.correspondence.iuv_sources import IuvSource
from dimr.correspondence.iuv_window import IuvWindow
from dimr.data.real.bodies import Bodies
from dimr.data.real.doh import read_doh
from dimr.data.real.joints import JOINT_SETS, LIMBS
from dimr.data.real.labels import file_iuv, record_iuv
from dimr.data.real.layout import open_dataset, with_iuv, with_mask
from dimr.evaluate.protocols import PROTOCOLS
from dimr.evaluate.real import (
    Recovered,
    evaluate,
    picture_errors,
    recover_with,
    rendered_iuv,
    source_iuv,
)
from dimr.image.crop import crop_picture, full_to_crop
from dimr.types import Crop, Iuv, Regression

TOLERANCE_MM = 1e-3
LSP_OF_H36M = [6, 5, 4, 1, 2, 3, 16, 15, 14, 11, 12, 13, 8, 10]


@pytest.fixture(scope="module")
def bodies(open_body, tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    writers.write_body_files(root / "body", open_body)
    return Bodies.load(root)


def perturb(person, seed):
    """A wrong answer: every joint turned a little, another shape."""
    draw = np.random.default_rng(seed)
    theta = Rotation.from_rotvec(person.theta) * Rotation.from_rotvec(draw.normal(0, 0.2, (24, 3)))
    rotmats = torch.from_numpy(theta.as_matrix().astype(np.float32))
    betas = torch.from_numpy((person.betas + draw.normal(0, 0.5, 10)).astype(np.float32))
    return rotmats, betas


def answer(people, key_of=None):
    """Stands in for the networks: the perturbed truth, found by the record's place."""
    seen = {}

    def recover(record):
        index = key_of(record) if key_of else seen.setdefault(record.key, len(seen))
        rotmats, betas = perturb(people[index], index)
        return Recovered(rotmats, betas, torch.tensor([0.9, 0.0, 0.0]), record.window(64))

    return recover


def direct_errors(person, seed, neutral, truth):
    """Straight from the person's numbers in float64: no reader, no protocol."""
    rotmats, betas = perturb(person, seed)
    true = torch.from_numpy(Rotation.from_rotvec(person.theta).as_matrix().astype(np.float32))
    true_betas = torch.from_numpy(person.betas)
    meshes = [
        neutral(rotmats[None], betas[None]),
        truth(true[None], true_betas[None]),
        truth(rotmats[None], betas[None]),
    ]
    found, wanted, same = (each.vertices_m[0].double().numpy() for each in meshes)
    regressor = neutral.J_regressor_h36m17.double().numpy()
    a, b = regressor @ found, regressor @ wanted
    joints, target = a[LSP_OF_H36M], b[LSP_OF_H36M]
    centred, goal = joints - joints.mean(0), target - target.mean(0)
    turn, _ = Rotation.align_vectors(goal, centred)
    turned = turn.apply(centred)
    scale = (turned * goal).sum() / (centred**2).sum()

    def mean_mm(difference):
        return 1000 * np.linalg.norm(difference, axis=1).mean()

    roots = [each.joints_m[0, 0].double().numpy() for each in meshes]
    return {
        "pa_mpjpe_mm": mean_mm(scale * turned - goal),
        "mpjpe_mm": mean_mm((joints - a[0]) - (target - b[0])),
        "pve_plain_mm": mean_mm(found - wanted),
        "pve_root_mm": mean_mm((found - roots[0]) - (wanted - roots[1])),
        "pve_gendered_mm": mean_mm(same - wanted),
    }


def check(result, people, neutral, truths):
    direct = [
        direct_errors(person, index, neutral, truth)
        for index, (person, truth) in enumerate(zip(people, truths, strict=True))
    ]
    assert result.num == len(people) and result.num_failed == 0
    for name, value in result.means.items():
        expected = np.mean([each[name] for each in direct])
        assert expected > 20
        assert value == pytest.approx(expected, abs=TOLERANCE_MM), name


class TestRoundTrip:
    def test_3dpw(self, tmp_path, people, bodies):
        actors = [[people[0]] * 2, [people[1]] * 2]
        for actor, body in zip(actors, (bodies.male, bodies.female), strict=True):
            assert body is not None and actor
        writers.write_pw3d(tmp_path / "3dpw", actors, bodies.neutral)
        records = open_dataset("3dpw", tmp_path / "3dpw")
        recover = answer(people, lambda record: record.person)
        result = evaluate(PROTOCOLS["3DPW"], records, recover, bodies)
        assert result.num == 4
        direct = [
            direct_errors(people[0], 0, bodies.neutral, bodies.male),
            direct_errors(people[1], 1, bodies.neutral, bodies.female),
        ]
        for name, value in result.means.items():
            expected = np.mean([each[name] for each in direct])
            assert value == pytest.approx(expected, abs=TOLERANCE_MM), name

    def test_3dpw_pc_in_both_joint_sets(self, tmp_path, people, bodies):
        frames = [people[0]] * 203
        writers.write_pw3d(
            tmp_path, [frames], bodies.neutral, "courtyard_basketball_00", "train", pictures=False
        )
        records = open_dataset("3dpw", tmp_path)
        recover = answer(people, lambda record: 0)
        results = [
            evaluate(PROTOCOLS[name], records, recover, bodies)
            for name in ("3DPW-PC", "3DPW-PC-24", "3DPW-OC")
        ]
        assert [each.num for each in results] == [3, 3, 203]
        direct = direct_errors(people[0], 0, bodies.neutral, bodies.male)
        assert results[0].means["mpjpe_mm"] == pytest.approx(direct["mpjpe_mm"], abs=TOLERANCE_MM)
        assert abs(results[1].means["mpjpe_mm"] - direct["mpjpe_mm"]) > 1
        assert results[1].means["pve_root_mm"] == pytest.approx(
            direct["pve_root_mm"], abs=TOLERANCE_MM
        )

    def test_3doh(self, tmp_path, people, bodies):
        writers.write_doh(tmp_path / "testset", people)
        records = open_dataset("3doh", tmp_path)
        result = evaluate(PROTOCOLS["3DOH"], records, answer(people), bodies)
        check(result, people, bodies.neutral, [bodies.neutral] * 3)

    @pytest.mark.parametrize("name", ["h36m", "muco", "eft", "human_data"])
    def test_formats_of_training_sets(self, tmp_path, people, bodies, name):
        """No benchmark of their own; their poses are as exact as the others'."""
        if name == "h36m":
            writers.write_spin(tmp_path / "h36m_mosh_train.npz", people, gender=None)
        elif name == "human_data":
            writers.write_human_data(tmp_path / "x.npz", people)
        else:
            {"muco": writers.write_muco, "eft": writers.write_eft}[name](tmp_path, people)
        records = open_dataset(name, tmp_path)
        neutral = Bodies(bodies.neutral, bodies.neutral, bodies.neutral)
        result = evaluate(PROTOCOLS["3DOH"], records, answer(people), neutral)
        check(result, people, bodies.neutral, [bodies.neutral] * 3)

    def test_ochuman(self, tmp_path, people, bodies):
        writers.write_ochuman(tmp_path, people)
        records = open_dataset("ochuman", tmp_path)
        fitted = list(map(true_camera, records, people))
        seen = iter(fitted)
        result = evaluate(PROTOCOLS["OCHuman"], records, lambda record: next(seen), bodies)
        assert result.num == 3
        assert result.means["pck_10"] > 0.9 and result.means["visible_iou"] > 0.3
        wrong = [each._replace(camera=each.camera + torch.tensor([0, 1, 0.0])) for each in fitted]
        seen = iter(wrong)
        result = evaluate(PROTOCOLS["OCHuman"], records, lambda record: next(seen), bodies)
        assert result.means["pck_10"] == 0 and result.means["visible_iou"] < 0.3


def true_camera(record, person):
    """The person's own parameters, and the weak camera that fits best."""
    crop = record.window(64)
    norm = full_to_norm(crop, person.project(person.joints).astype(np.float32))
    rotmats = torch.from_numpy(Rotation.from_rotvec(person.theta).as_matrix().astype(np.float32))
    weak = torch.from_numpy(fit_weak(person.joints, norm.astype(np.float32)))
    return Recovered(rotmats, torch.from_numpy(person.betas), weak, crop)


def test_pck_and_iou_by_hand(tmp_path, people, bodies):
    writers.write_ochuman(tmp_path, people[:1])
    record = open_dataset("ochuman", tmp_path)[0]
    recovered = true_camera(record, people[0])
    assert picture_errors(record, recovered, bodies)["pck_05"] > 0.7
    side = max(record.box_px[2:] - record.box_px[:2])

    places = record.keypoints_px.places + np.float32(0.5 * side)
    moved = record.keypoints_px._replace(places=places)
    errors = picture_errors(replace(record, keypoints_px=moved), recovered, bodies)
    assert errors["pck_05"] == errors["pck_10"] == 0
    hidden = record.keypoints_px._replace(confidence=record.keypoints_px.confidence * 0.5)
    with pytest.raises(ValueError, match="no visible limb joint"):
        picture_errors(replace(record, keypoints_px=hidden), recovered, bodies)


def test_pck_is_of_the_longer_side_and_of_what_nobody_else_hides(tmp_path, people, bodies):
    """A body shrunk to one pixel: how far each joint is off is what the labels say."""
    states = dict.fromkeys(LIMBS, 3) | {"L_wrist": 0, "L_hip": 1, "R_hip": 1}
    states |= {"L_knee": 2, "R_knee": 2}
    writers.write_ochuman(tmp_path, people[:1], states=states)
    (record,) = open_dataset("ochuman", tmp_path)
    recovered = true_camera(record, people[0])._replace(camera=torch.zeros(3))
    side = max(record.box_px[2:] - record.box_px[:2])
    places = np.tile(np.float32(record.centre_px), (19, 1))
    for name, share in {"L_knee": 0.049, "L_hip": 0.051, "R_hip": 0.099, "R_knee": 0.101}.items():
        places[JOINT_SETS["ochuman19"].index(name), 0] += share * side
    labels = record.keypoints_px._replace(places=places)
    errors = picture_errors(replace(record, keypoints_px=labels), recovered, bodies)
    assert (errors["pck_05"], errors["pck_10"]) == (1 / 4, 3 / 4)


def test_what_somebody_in_front_covers_does_not_count(tmp_path, people, bodies):
    whole = np.zeros(people[0].mask.shape, np.uint8)
    for face in people[0].project(people[0].vertices)[bodies.neutral.faces.numpy()]:
        cv2.fillConvexPoly(whole, face.round().astype(np.int32), 1)
    left = np.arange(whole.shape[1]) < np.median(np.nonzero(whole)[1])
    person = replace(people[0], mask=(whole > 0) & ~left)

    def visible_iou(*masks):
        neighbours = [replace(people[1], mask=mask) for mask in masks]
        writers.write_ochuman(tmp_path, [person], neighbours)
        record = open_dataset("ochuman", tmp_path)[0]
        return picture_errors(record, true_camera(record, person), bodies)["visible_iou"]

    everywhere = np.ones_like(person.mask)
    in_front = everywhere & left
    assert visible_iou() < 0.55
    assert visible_iou(in_front) > 0.8
    # of two in front each covers a part
    upper = np.arange(len(whole))[:, None] < len(whole) // 2
    assert visible_iou(in_front & upper, in_front & ~upper) == visible_iou(in_front)
    # where both masks claim a pixel the person is visible
    assert visible_iou(everywhere) >= visible_iou(in_front)


class TestIuv:
    def test_rendered_iuv_lies_on_the_person(self, tmp_path, people, bodies, open_atlas):
        writers.write_muco(tmp_path, people)
        record = open_dataset("muco", tmp_path)[1]
        crop = replace(record.window(128), angle_rad=0.4)
        iuv = record_iuv(record, bodies.neutral, open_atlas, crop, 64)
        assert iuv is not None and iuv.mask.sum() > 100
        # the surface point that a pixel names is the one that the camera shows there
        rows, cols = np.nonzero(iuv.mask)
        face, bary = open_atlas.uv_to_surface(iuv.uv[iuv.mask])
        points = (people[1].vertices[open_atlas.faces[face]] * bary[..., None]).sum(1)
        window = Crop(crop.centre_px, crop.side_px, 64, 0.4)
        seen = full_to_crop(window, people[1].project(points))
        assert np.median(np.abs(seen - np.stack([cols, rows], 1))) < 0.1

    def test_the_instance_mask_cuts_it(self, tmp_path, people, bodies, open_atlas):
        writers.write_doh(tmp_path, people)
        record = read_doh(tmp_path / "annots.json")[0]
        crop = record.window(96)
        iuv = record_iuv(record, bodies.neutral, open_atlas, crop, 96)
        visible = crop_picture(people[0].mask.astype(np.uint8), crop, nearest=True) > 0
        assert iuv.mask.any() and not (iuv.mask & ~visible).any()

    def test_a_users_own_mask(self, tmp_path, people, bodies, open_atlas):
        writers.write_muco(tmp_path / "muco", people)
        record = open_dataset("muco", tmp_path / "muco")[0]
        assert with_mask(record, tmp_path).mask is None
        half = np.zeros((*people[0].mask.shape, 3), np.uint8)
        half[:, :48] = 255
        writers.write_picture(tmp_path / "muco/masks/100.png", half)
        crop = record.window(96)
        cut = record_iuv(with_mask(record, tmp_path), bodies.neutral, open_atlas, crop, 96)
        whole = record_iuv(record, bodies.neutral, open_atlas, crop, 96)
        left = crop_picture(half, crop, nearest=True)[..., 0] > 0
        assert np.array_equal(cut.mask, whole.mask & left) and (whole.mask & ~left).any()

    def test_a_users_own_file(self, tmp_path, people, open_atlas):
        writers.write_muco(tmp_path, people)
        record = with_iuv(open_dataset("muco", tmp_path)[0], tmp_path)
        crop = record.window(64)
        assert file_iuv(record, crop, 32) is None
        (tmp_path / "muco/iuv").mkdir(parents=True)
        mask = people[0].mask
        uv = np.full((*mask.shape, 2), 0.25, np.float32)
        np.savez(tmp_path / "muco/iuv/100.npz", mask=mask, uv=uv)
        iuv = file_iuv(record, crop, 32)
        assert iuv.mask.any() and iuv.uv[iuv.mask].min() == 0.25 and not iuv.uv[~iuv.mask].any()

    def test_the_instance_whose_box_fits(self, tmp_path, people, monkeypatch):
        writers.write_muco(tmp_path, people)
        record = open_dataset("muco", tmp_path)[0]

        def window(box, level):
            x0, y0, x1, y1 = np.rint(box).astype(int).tolist()
            mask = np.ones((y1 - y0, max(x1 - x0, 1)), bool)
            return IuvWindow(
                Iuv(mask, np.full((*mask.shape, 2), level, np.float32)), corner_px=(x0, y0)
            )

        class Source(IuvSource):
            def people(self, picture, pixels):
                return [window(record.box_px - 60, 0.1), window(record.box_px + 2, 0.7)]

        iuv = source_iuv(Source())(record, record.window(64), 32)
        assert iuv.uv.max() == pytest.approx(0.7)
        thin = record.box_px.copy()
        thin[2] = thin[0] + 0.05 * (thin[2] - thin[0])
        monkeypatch.setattr(Source, "people", lambda *_: [window(thin, 0.3)])
        with pytest.raises(ValueError, match="none of the 1 people whose IUV is there"):
            source_iuv(Source())(record, record.window(64), 32)
        # a window is wider than the person: whoever stands in it is meant
        unboxed = replace(record, box_px=None)
        assert source_iuv(Source())(unboxed, record.window(64), 32) is not None


class TestRecoverWith:
    class Stub(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))
            self.given = []

        def forward(self, image, mask, uv):
            self.given.append((image, mask, uv))
            eye = torch.eye(3).repeat(1, 24, 1, 1)
            return Regression(eye, torch.zeros(1, 10), torch.tensor([[0.5, 0.0, 0.0]]))

    def test_gives_stage_2_crop_and_iuv(self, tmp_path, people, bodies, open_atlas):
        writers.write_muco(tmp_path, people)
        records = open_dataset("muco", tmp_path)
        stub = self.Stub()
        recover = recover_with(stub, rendered_iuv(bodies, open_atlas), 64)
        evaluate(PROTOCOLS["3DOH"], records, recover, bodies)
        image, mask, uv = stub.given[0]
        assert image.shape == (1, 3, 64, 64) and uv.shape == (1, 32, 32, 2)
        crop = records[0].window(64)
        expected = record_iuv(records[0], bodies.neutral, open_atlas, crop, 32)
        assert np.array_equal(mask[0].numpy(), expected.mask) and expected.mask.any()
        cropped = crop_picture(records[0].load_picture(), crop)
        assert np.array_equal(image[0].permute(1, 2, 0).numpy(), np.float32(cropped) / 255)

    def test_a_missing_picture_is_counted_and_named(self, tmp_path, people, bodies, open_atlas):
        writers.write_muco(tmp_path, people)
        records = open_dataset("muco", tmp_path)
        records[1].picture.unlink()
        recover = recover_with(self.Stub(), rendered_iuv(bodies, open_atlas), 64)
        result = evaluate(PROTOCOLS["3DOH"], records, recover, bodies)
        assert (result.num, result.num_failed) == (2, 1)
        assert result.failed[0].key == "101" and "no such file" in result.failed[0].reason

    def test_nobody_is_an_error(self, people, bodies, tmp_path):
        writers.write_muco(tmp_path, people)
        with pytest.raises(ValueError, match="3DPW: nobody"):
            evaluate(PROTOCOLS["3DPW"], open_dataset("muco", tmp_path), answer(people), bodies)
