from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from data.real import writers
from dimr.data.real.bodies import Bodies
from dimr.data.real.record import Record
from dimr.evaluate.align import procrustes_align
from dimr.evaluate.protocols import (
    METRICS_3D,
    PROTOCOLS,
    PW3D_OC,
    PW3D_PC,
    PW3D_TEST,
    body_errors,
)


def a_record(sequence, frame=0):
    return Record(
        dataset="3dpw",
        key="x",
        picture=Path("x.jpg"),
        centre_px=(1.0, 1.0),
        side_px=10.0,
        sequence=sequence,
        frame=frame,
    )


@pytest.fixture(scope="module")
def bodies(open_body, tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    writers.write_body_files(root / "body", open_body)
    return Bodies.load(root)


def random_pose(batch, seed):
    generator = torch.Generator().manual_seed(seed)
    rotmats = torch.linalg.qr(torch.randn(batch, 24, 3, 3, generator=generator)).Q
    rotmats = rotmats * torch.linalg.det(rotmats)[..., None, None]
    near = torch.eye(3) + 0.3 * (rotmats - torch.eye(3))
    left, _, right = torch.linalg.svd(near)
    return left @ right, torch.randn(batch, 10, generator=generator)


class TestSelection:
    def test_sizes_of_the_lists(self):
        assert (len(set(PW3D_TEST)), len(set(PW3D_OC)), len(set(PW3D_PC))) == (24, 17, 6)
        assert sum(end - first for _, first, end in PW3D_PC) == 1380

    @pytest.mark.parametrize(
        ("protocol", "sequence", "frame", "belongs"),
        [
            ("3DPW", "downtown_bus_00", 5, True),
            ("3DPW", "downtown_bus_01", 5, False),
            ("3DPW", "courtyard_golf_00", 5, False),
            ("3DPW-OC", "courtyard_golf_00", 0, True),
            ("3DPW-OC", "outdoors_slalom_01", 0, True),
            ("3DPW-OC", "downtown_bus_00", 0, False),
            ("3DPW-OC", "flat_guitar_01", 0, True),
            ("3DPW-PC", "downtown_bus_00", 1619, False),
            ("3DPW-PC", "downtown_bus_00", 1620, True),
            ("3DPW-PC", "downtown_bus_00", 1899, True),
            ("3DPW-PC", "downtown_bus_00", 1900, False),
            ("3DPW-PC-24", "courtyard_hug_00", 100, True),
            ("3DPW-PC", "courtyard_golf_00", 100, False),
            ("3DPW-Crowd", "courtyard_hug_00", 0, True),
            ("3DPW-Crowd", "courtyard_dancing_01", 0, False),
            ("3DOH", "", -1, True),
        ],
    )
    def test_by_hand(self, protocol, sequence, frame, belongs):
        assert PROTOCOLS[protocol].selects(a_record(sequence, frame)) == belongs

    def test_protocols_are_frozen(self):
        with pytest.raises(FrozenInstanceError):
            PROTOCOLS["3DPW"].joint_set = "smpl24"

    def test_what_each_fixes(self):
        fixed = {
            name: (each.joint_set, each.root, each.truth_gender, each.never_trained_on)
            for name, each in PROTOCOLS.items()
        }
        assert fixed["3DPW"] == ("lsp14", "h36m_pelvis", "own", ())
        assert fixed["3DPW-OC"] == ("lsp14", "h36m_pelvis", "own", ("3dpw",))
        assert fixed["3DPW-PC-24"] == ("smpl24", "smpl_pelvis", "own", ("3dpw",))
        assert fixed["3DOH"] == ("lsp14", "h36m_pelvis", "neutral", ("3doh_train",))


class TestBodyErrors:
    def errors(self, bodies, protocol="3DPW", batch=1, gender="male", **changes):
        rotmats, betas = random_pose(batch, 1)
        true_rotmats, true_betas = random_pose(batch, 2)
        given = {"rotmats": rotmats, "betas": betas}
        given |= {"true_rotmats": true_rotmats, "true_betas": true_betas, **changes}
        return body_errors(PROTOCOLS[protocol], **given, bodies=bodies, gender=gender)

    @pytest.mark.parametrize("batch", [2, 3, 4])
    @pytest.mark.parametrize("protocol", ["3DPW", "3DPW-PC-24"])
    def test_a_batch_of_two_or_three_is_measured_like_single_people(self, bodies, batch, protocol):
        """Batch-wise implementations that tell points from axes by a size of 2 or 3 fail here."""
        pose, truth = random_pose(batch, 1), random_pose(batch, 2)
        together = body_errors(PROTOCOLS[protocol], *pose, *truth, bodies, "female")
        for index in range(batch):
            one = slice(index, index + 1)
            alone = body_errors(
                PROTOCOLS[protocol],
                *(each[one] for each in pose),
                *(each[one] for each in truth),
                bodies,
                "female",
            )
            for name in METRICS_3D:
                assert together[name][index].item() == pytest.approx(alone[name].item(), abs=1e-2)

    def test_the_inherited_mistake_would_show(self):
        """A twin with the guess: a batch of 3 is taken for one transposed set of points."""

        def guessing(source, target):
            if source.shape[0] in (2, 3):
                source, target = source.permute(2, 1, 0), target.permute(2, 1, 0)
                return procrustes_align(source, target).permute(2, 1, 0)
            return procrustes_align(source, target)

        generator = torch.Generator().manual_seed(0)
        source, target = torch.randn(2, 3, 14, 3, generator=generator)
        alone = torch.cat([guessing(source[[k]], target[[k]]) for k in range(3)])
        assert (guessing(source, target) - alone).abs().max() > 0.05
        assert (procrustes_align(source, target) - alone).abs().max() < 1e-5

    def test_truth_on_itself(self, bodies):
        rotmats, betas = random_pose(2, 3)
        same = {"rotmats": rotmats, "betas": betas, "true_rotmats": rotmats, "true_betas": betas}
        for name, values in self.errors(bodies, gender="neutral", batch=2, **same).items():
            assert values.max() < 0.02, name
        # a man is larger than the neutral prediction, but not if the prediction is his, too
        of_man = self.errors(bodies, gender="male", batch=2, **same)
        assert of_man["pve_gendered_mm"].max() < 0.02
        assert of_man["pve_root_mm"].min() > 5 and of_man["mpjpe_mm"].min() > 5
        assert of_man["pa_mpjpe_mm"].max() < 1  # a larger body is nearly a similarity away

    def test_doh_takes_the_neutral_truth(self, bodies):
        man, neutral = (self.errors(bodies, "3DOH", gender=g) for g in ("male", "neutral"))
        assert all(torch.equal(man[name], neutral[name]) for name in METRICS_3D)
        assert self.errors(bodies, "3DPW")["mpjpe_mm"] != man["mpjpe_mm"]

    def test_pve_variants_by_hand(self, bodies):
        """A longer spine moves the pelvis: the plain variant sees it, the rooted one does not."""
        rotmats, betas = torch.eye(3).repeat(1, 24, 1, 1), torch.zeros(1, 10)
        shifted = bodies.neutral.shapedirs.clone()
        shifted[:, :, 0] = torch.tensor([0.0, 0.1, 0.0])
        body = type(bodies.neutral).__new__(type(bodies.neutral))
        body.__dict__.update(bodies.neutral.__dict__)
        body._buffers = dict(bodies.neutral._buffers)
        body._buffers["shapedirs"] = shifted
        moved = torch.einsum("jv,vik->jik", body.J_regressor, shifted)
        body._buffers["joints_shapedirs"] = moved
        errors = body_errors(
            PROTOCOLS["3DPW"],
            rotmats,
            betas + torch.eye(10)[:1],
            rotmats,
            betas,
            Bodies(body, body, body),
        )
        assert errors["pve_plain_mm"].item() == pytest.approx(100, abs=0.1)
        assert errors["pve_root_mm"].item() == pytest.approx(0, abs=0.1)
        assert errors["mpjpe_mm"].item() == pytest.approx(0, abs=0.1)

    def test_missing_gender_is_named(self, bodies):
        with pytest.raises(ValueError, match="needs the female body"):
            self.errors(replace_female(bodies), gender="female")


def replace_female(bodies):
    return bodies._replace(female=None)


class TestBodies:
    def test_names_the_missing_file(self, tmp_path, open_body):
        with pytest.raises(ValueError, match=r"SMPL_NEUTRAL\.pkl is missing"):
            Bodies.load(tmp_path)
        writers.write_body_files(tmp_path / "body", open_body)
        (tmp_path / "body/J_regressor_h36m.npy").unlink()
        with pytest.raises(ValueError, match=r"J_regressor_h36m\.npy is missing"):
            Bodies.load(tmp_path)

    def test_genders(self, bodies):
        heights = [np.ptp(bodies.of(g).v_template[:, 1].numpy()) for g in ("female", "male")]
        assert heights[0] < heights[1]
        assert replace(a_record("x"), gender="male").gender == "male"
