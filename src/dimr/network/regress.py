"""Part features + global feature -> (theta, beta, pi), in a few residual steps (Sec. 3.4).

The regressor is HMR's: from an initial state, three times the same two hidden layers and three
linear decoders add a correction. theta is in the 6D form (interleaved layout) inside, and becomes
rotation matrices once, at the end.

Differs from HMR: a ReLU follows each hidden layer (HMR has none, which leaves one linear map an
iteration), and dropout is off by default (HMR's family uses 0.5 against over-fitting small sets of
real data; on synthetic data without end it only slows the fit). Both are ours to choose: the paper
says no more than "fully-connected layer" and "iterative regression". A third choice of ours: the
landmarks that another network sees may join (from zero, so that a head can learn from IUVs
first): it began with photographs and knows directions and depths that our pictures teach badly.
A fourth: before each step it hears how far the pose so far is from them and from the IUV
(`feedback.py`). A fifth: it says how far from the truth it expects each joint to be.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from dimr.body.rotation import rot6d_to_rotmat, rotmat_to_rot6d
from dimr.encoder.blazepose import LANDMARK_VALUES, NUM_LANDMARKS
from dimr.network.complete import Completed
from dimr.network.feedback import JointsOf, LandmarkGap, Surface, SurfaceGap
from dimr.types import Regression

USUAL_ERROR_M = 0.1
"""Where the expected error of a joint starts."""
LEAST_ERROR_M, LARGEST_ERROR_M = 0.002, 5.0
"""Between which it stays, so that no input makes it zero or infinite."""
FARTHEST = 3.0
"""Landmarks are heard as if they were within this distance, in half crops and metres."""

NUM_JOINTS, NUM_BETAS, NUM_CAMERA = 24, 10, 3
THETA_SIZE = NUM_JOINTS * 6
STATE_SIZE = THETA_SIZE + NUM_BETAS + NUM_CAMERA
INITIAL_CAMERA = (0.9, 0.0, 0.0)
"""(s, tx, ty): a 2 m body fills 90 % of the crop."""


def facing_camera() -> Float[Tensor, "24 3 3"]:
    """Resting pose of a person who stands upright and faces the camera: root = rot_x(pi)."""
    rotmats = torch.eye(3).repeat(NUM_JOINTS, 1, 1)
    rotmats[0] = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    return rotmats


class IterativeRegressor(nn.Module):
    """Residual regression of pose, shape and camera."""

    initial_state: Tensor

    def __init__(
        self,
        in_features: int,
        hidden: int = 1024,
        iterations: int = 3,
        dropout: float = 0.0,
        landmarks: bool = False,
        uncertainty: bool = False,
        joints_of: JointsOf | None = None,
        surface: Surface | None = None,
    ):
        """It starts standing upright, facing the camera, arms to the sides.

        `joints_of` of the body, for a regressor that hears landmarks; None: without feedback.
        `surface` of the body; None: without feedback from the IUV.
        """
        super().__init__()
        self.iterations = iterations
        # one layer over [features, state], kept as two: the features' half runs once
        self.enter_features = nn.Linear(in_features, hidden)
        self.enter_state = nn.Linear(STATE_SIZE, hidden, bias=False)
        self.surface_gap = None if surface is None else SurfaceGap(hidden, surface)
        self.enter_landmarks = self.landmark_gap = None
        if landmarks:
            if joints_of is not None:
                self.landmark_gap = LandmarkGap(hidden, joints_of)
            last = nn.Linear(hidden // 4, hidden, bias=False)
            nn.init.zeros_(last.weight)
            self.enter_landmarks = nn.Sequential(
                nn.Linear(NUM_LANDMARKS * LANDMARK_VALUES, hidden // 4), nn.GELU(), last
            )
        self.hidden = nn.Linear(hidden, hidden)
        self.dropout = nn.Dropout(dropout)
        self.decode_theta = nn.Linear(hidden, THETA_SIZE)
        self.decode_betas = nn.Linear(hidden, NUM_BETAS)
        self.decode_camera = nn.Linear(hidden, NUM_CAMERA)
        self.decode_error = None
        if uncertainty:
            self.decode_error = nn.Linear(hidden, NUM_JOINTS)
            nn.init.zeros_(self.decode_error.weight)
            nn.init.constant_(self.decode_error.bias, math.log(USUAL_ERROR_M))
        for decoder in (self.decode_theta, self.decode_betas, self.decode_camera):
            nn.init.xavier_uniform_(decoder.weight, gain=0.01)
            nn.init.zeros_(decoder.bias)
        theta_6d = rotmat_to_rot6d(facing_camera()).flatten()
        state = torch.cat([theta_6d, torch.zeros(NUM_BETAS), torch.tensor(INITIAL_CAMERA)])
        self.register_buffer("initial_state", state)

    def forward(
        self,
        completed: Completed,
        global_features: Float[Tensor, "B C"],
        pose: Float[Tensor, "B 39 10"] | None = None,
        iuv: tuple[Bool[Tensor, "B H W"], Float[Tensor, "B H W 2"]] | None = None,
    ) -> Regression:
        """[phi flattened, GAP(F_img)], landmarks, IUV and the initial state -> parameters.

        Landmarks that are all zero say nothing. How far off they may be is heard in the feedback
        alone; the IUV is only what the pose is compared with.
        """
        from_features = self.enter_features(torch.cat([completed.vector, global_features], dim=1))
        known = None
        if pose is not None and self.enter_landmarks is not None:
            heard = pose[..., :LANDMARK_VALUES].clamp(-FARTHEST, FARTHEST).flatten(1)
            known = heard.any(1, keepdim=True)
            from_features = from_features + self.enter_landmarks(heard) * known
        seen = None
        if iuv is not None and self.surface_gap is not None:
            seen = self.surface_gap.observe(*iuv)
        state = self.initial_state.expand(len(from_features), -1)
        hidden = from_features
        for _ in range(self.iterations):
            entered = from_features + self.enter_state(state)
            if known is not None and self.landmark_gap is not None:
                entered = entered + self.landmark_gap(pose, *_parameters(state)) * known
            if seen is not None and self.surface_gap is not None:
                entered = entered + self.surface_gap(seen, *_parameters(state))
            hidden = self.dropout(F.relu(entered))
            hidden = self.dropout(F.relu(self.hidden(hidden)))
            state = state + torch.cat(
                [self.decode_theta(hidden), self.decode_betas(hidden), self.decode_camera(hidden)],
                dim=1,
            )
        rotmats, betas, camera = _parameters(state)
        error = None
        if self.decode_error is not None:  # it learns from the pose, the pose not from it
            log_error = self.decode_error(hidden.detach()).float()
            error = log_error.clamp(math.log(LEAST_ERROR_M), math.log(LARGEST_ERROR_M)).exp()
        parts, attention = completed.part_features, completed.attention
        return Regression(rotmats, betas, camera, parts, attention, error)


def _parameters(state: Float[Tensor, "B S"]) -> tuple[Tensor, Tensor, Tensor]:
    """Rotation matrices, betas and camera of a state."""
    theta_6d, betas, camera = state.float().split([THETA_SIZE, NUM_BETAS, NUM_CAMERA], dim=1)
    return rot6d_to_rotmat(theta_6d.reshape(-1, NUM_JOINTS, 6)), betas, camera
