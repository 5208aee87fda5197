"""Frozen evaluation protocols of the paper's tables: who is measured, and how.

A protocol says which records count, which joints are compared, how they come from the mesh, where
both bodies are moved to, and with which body the ground truth is made. The three readings of PVE
that are in use, all at zero translation, have names of their own:

    pve_plain_mm     no alignment; prediction neutral (PARE)
    pve_root_mm      both bodies moved to SMPL joint 0; prediction neutral (3DCrowdNet, DPMesh)
    pve_gendered_mm  no alignment; the predicted parameters through the truth's body (MMHuman3D)

The paper does not say which is its own; it builds on MMHuman3D.
"""

import re
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from dimr.body.keypoints import H36M17_TO_LSP14
from dimr.body.model import BodyModel
from dimr.data.real.bodies import Bodies
from dimr.data.real.record import Gender, Record
from dimr.evaluate.errors import mpjpe_mm, pa_mpjpe_mm, pve_mm
from dimr.types import Body

METRICS_3D = ("pa_mpjpe_mm", "mpjpe_mm", "pve_plain_mm", "pve_root_mm", "pve_gendered_mm")
METRICS_2D = ("pck_05", "pck_10", "visible_iou")
"""PCK of limb joints at 5 and 10 % of the box; silhouette against the visible mask."""

PW3D_TEST = (
    *("flat_packBags_00", "flat_guitar_01", "office_phoneCall_00", "outdoors_fencing_01"),
    *("downtown_walkBridge_01", "downtown_runForBus_00", "downtown_runForBus_01"),
    *(
        f"downtown_{place}_00"
        for place in (
            "weeklyMarket enterShop rampAndStairs bar cafe sitOnStairs bus arguing crossStreets "
            "walkUphill walking car warmWelcome upstairs stairs windowShopping downstairs"
        ).split()
    ),
)
"""The 24 sequences of 3DPW's test split."""
PW3D_OC = (
    *(
        f"courtyard_{name}"
        for name in "backpack basketball bodyScannerMotions box golf jacket laceShoe".split()
    ),
    *("downtown_stairs", "flat_guitar", "flat_packBags"),
    *(
        f"outdoors_{name}"
        for name in "climbing crosscountry fencing freestyle golf parcours slalom".split()
    ),
)
"""3DPW-OC (also written 3DPW-OCC): 17 base names, any number behind, all splits."""
PW3D_PC = (
    ("courtyard_basketball_00", 200, 280),
    ("courtyard_captureSelfies_00", 500, 600),
    ("courtyard_dancing_00", 60, 370),
    ("courtyard_dancing_01", 60, 270),
    ("courtyard_hug_00", 100, 500),
    ("downtown_bus_00", 1620, 1900),
)
"""3DPW-PC: (sequence, first frame, frame behind the last), all splits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Protocol:
    """One benchmark, fixed."""

    name: str
    dataset: str
    """Of `dimr.data.real.layout.DATASETS`."""
    joint_set: Literal["lsp14", "smpl24", "ochuman19"] = "lsp14"
    regressor: Literal["J_regressor_h36m", "SMPL", "none"] = "J_regressor_h36m"
    """Where the joints come from: Human3.6M's regressor on the mesh, or SMPL's own joints."""
    root: Literal["h36m_pelvis", "smpl_pelvis", "none"] = "h36m_pelvis"
    """What both bodies are moved to for MPJPE."""
    alignment: str = "similarity Procrustes"
    """Of PA-MPJPE, per person: scale, rotation, translation."""
    truth_gender: Literal["own", "neutral", "none"] = "own"
    """Body of the ground-truth mesh; predictions are neutral."""
    never_trained_on: tuple[str, ...] = ()
    """Data sets whose training parts the paper's model must not have seen."""
    metrics: tuple[str, ...] = METRICS_3D
    sequences: tuple[str, ...] = ()
    """Whole names; empty: all."""
    base_names: tuple[str, ...] = ()
    """Names without their number; empty: all."""
    ranges: tuple[tuple[str, int, int], ...] = ()
    """(sequence, first frame, frame behind the last); empty: all."""

    def selects(self, record: Record) -> bool:
        """Whether a record belongs to the benchmark."""
        name = record.sequence
        if self.sequences and name not in self.sequences:
            return False
        if self.base_names and re.sub(r"_\d+$", "", name) not in self.base_names:
            return False
        return not self.ranges or any(
            name == sequence and first <= record.frame < end
            for sequence, first, end in self.ranges
        )


_FAIR = ("3dpw",)
PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(name="3DPW", dataset="3dpw", sequences=PW3D_TEST),
        Protocol(name="3DPW-OC", dataset="3dpw", base_names=PW3D_OC, never_trained_on=_FAIR),
        Protocol(name="3DPW-PC", dataset="3dpw", ranges=PW3D_PC, never_trained_on=_FAIR),
        Protocol(
            name="3DPW-PC-24",
            dataset="3dpw",
            ranges=PW3D_PC,
            joint_set="smpl24",
            regressor="SMPL",
            root="smpl_pelvis",
            never_trained_on=_FAIR,
        ),
        Protocol(
            name="3DPW-Crowd",
            dataset="3dpw",
            sequences=("courtyard_hug_00", "courtyard_dancing_00"),
            never_trained_on=_FAIR,
        ),
        Protocol(
            name="3DOH", dataset="3doh", truth_gender="neutral", never_trained_on=("3doh_train",)
        ),
        Protocol(
            name="OCHuman",
            dataset="ochuman",
            joint_set="ochuman19",
            regressor="none",
            root="none",
            alignment="none",
            truth_gender="none",
            metrics=METRICS_2D,
        ),
    )
}
"""By name. "3DPW-PC-24" is ROMP's reading of 3DPW-PC: SMPL's 24 joints and pelvis."""


def _joints(protocol: Protocol, posed: Body, body: BodyModel) -> tuple[Tensor, Tensor]:
    """(joints (B, J, 3), root (B, 1, 3)) of a protocol."""
    if protocol.regressor == "SMPL":
        return posed.joints_m, posed.joints_m[:, :1]
    regressed = body.keypoints(posed.vertices_m, "h36m17")
    return regressed[:, list(H36M17_TO_LSP14)], regressed[:, :1]


@torch.no_grad()
def body_errors(
    protocol: Protocol,
    rotmats: Float[Tensor, "B 24 3 3"],
    betas: Float[Tensor, "B 10"],
    true_rotmats: Float[Tensor, "B 24 3 3"],
    true_betas: Float[Tensor, "B 10"],
    bodies: Bodies,
    gender: Gender = "neutral",
) -> dict[str, Float[Tensor, "B"]]:
    """Errors of predicted parameters, by the names of `METRICS_3D`.

    PVE needs both meshes to have the same vertices: NaN where predictions are of another body.

    Args:
        protocol: a three-dimensional one.
        rotmats: predicted; roots map the body frame to camera axes.
        betas: predicted, of the body of predictions.
        true_rotmats: of the data set.
        true_betas: of the data set, of the body of `gender`.
        bodies: of all genders that occur.
        gender: of everybody in this batch.
    """
    true_body = bodies.of("neutral" if protocol.truth_gender == "neutral" else gender)
    predicted_body = bodies.of_predictions
    found, truth = predicted_body(rotmats, betas), true_body(true_rotmats, true_betas)
    joints, root = _joints(protocol, found, predicted_body)
    wanted, wanted_root = _joints(protocol, truth, true_body)
    errors = {
        "pa_mpjpe_mm": pa_mpjpe_mm(joints, wanted),
        "mpjpe_mm": mpjpe_mm(joints - root, wanted - wanted_root, root=None),
    }
    if not torch.equal(predicted_body.faces, true_body.faces):
        return errors | dict.fromkeys(METRICS_3D[2:], torch.full_like(betas[:, 0], torch.nan))
    vertices, target = found.vertices_m, truth.vertices_m
    return errors | {
        "pve_plain_mm": pve_mm(vertices, target),
        "pve_root_mm": pve_mm(vertices, target, found.joints_m[:, 0], truth.joints_m[:, 0]),
        "pve_gendered_mm": pve_mm(true_body(rotmats, betas).vertices_m, target),
    }
