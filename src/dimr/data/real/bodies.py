"""The bodies of a user's folder: SMPL by gender, and the UV map of its surface."""

from pathlib import Path
from typing import NamedTuple, get_args

from dimr.body.model import BodyModel
from dimr.data.real.layout import (
    BODY_FEMALE,
    BODY_MALE,
    BODY_NEUTRAL,
    DENSEPOSE_MAT,
    H36M_REGRESSOR,
    UV_MAP,
)
from dimr.data.real.record import Gender
from dimr.surface.atlas import Atlas, load_atlas
from dimr.surface.uv_files import Orientation, load_densepose_mat, load_uv_npz


class Bodies(NamedTuple):
    """SMPL by gender; without it the open body, which has no ground truth of theirs."""

    neutral: BodyModel
    male: BodyModel | None
    female: BodyModel | None
    predicted: BodyModel | None = None
    """The body that predictions are of; None: the neutral one."""
    is_smpl: bool = True
    """Whether the data sets' betas mean anything here."""

    @classmethod
    def load(cls, root: Path | None) -> "Bodies":
        """The user's files below `root` (see `layout.FILES`); None: the open body alone.

        Raises:
            ValueError: if the neutral body or the regressor is missing or damaged.
        """
        neutral = load_neutral(root)
        if root is None:
            return cls(neutral, None, None, is_smpl=False)
        regressor = root / H36M_REGRESSOR
        male, female = (
            BodyModel.load(root / name, regressor) if (root / name).is_file() else None
            for name in (BODY_MALE, BODY_FEMALE)
        )
        return cls(neutral, male, female)

    def of(self, gender: Gender) -> BodyModel:
        """The body of a gender.

        Raises:
            ValueError: if its file is missing.
        """
        if not self.is_smpl:
            raise ValueError(
                "body: the ground truth is SMPL's: want ROOT/body (--data ROOT, docs/licensed.md)"
            )
        body = getattr(self, gender)
        if body is None:
            raise ValueError(
                f"body: the ground truth needs the {gender} body, SMPL_{gender.upper()}.pkl"
            )
        return body

    @property
    def of_predictions(self) -> BodyModel:
        """The body that predicted parameters belong to."""
        return self.predicted or self.neutral


def load_neutral(root: Path | None) -> BodyModel:
    """The user's neutral SMPL below `root`; None: the open body.

    Raises:
        ValueError: if it or the regressor is missing or damaged.
    """
    if root is None:
        return BodyModel.load(None)
    for name in (BODY_NEUTRAL, H36M_REGRESSOR):
        if not (root / name).is_file():
            raise ValueError(f"body: {root / name} is missing; see docs/licensed.md")
    return BodyModel.load(root / BODY_NEUTRAL, root / H36M_REGRESSOR)


def load_surface_map(root: Path | None, body: BodyModel) -> Atlas:
    """The UV map of the user's body: the continuous one, else DensePose's tiles.

    Args:
        root: with the files of `layout.FILES`; None: the open body's atlas.
        body: the neutral body.

    Raises:
        ValueError: if there is neither, or the file cannot be used.
    """
    if root is None:
        return load_atlas(None)
    weights = body.weights.cpu().numpy()
    if (root / UV_MAP).is_file():
        faces, template = body.faces.cpu().numpy(), body.v_template.cpu().numpy()
        problem: ValueError | None = None
        for orientation in get_args(Orientation):
            try:
                return load_uv_npz(root / UV_MAP, faces, weights, template, orientation)
            except ValueError as error:  # turned otherwise, or unusable
                problem = problem or error
        assert problem is not None
        raise problem
    if (root / DENSEPOSE_MAT).is_file():
        return load_densepose_mat(root / DENSEPOSE_MAT, weights)
    raise ValueError(f"UV map: want {root / UV_MAP} or {root / DENSEPOSE_MAT}")
