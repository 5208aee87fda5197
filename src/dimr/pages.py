"""Pictures of `dimr synth` and `dimr eval`: labels drawn, pages of statistics and of errors."""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from dimr.body.keypoints import JOINT_NAMES
from dimr.data.synthetic.samples import OBJECT, CropSample, SceneSample
from dimr.data.synthetic.statistics import PictureStatistics, histogram_distances
from dimr.data.synthetic.survey import LIMBS, LIMBS_OF_JOINTS, RealCrops, Survey, pose_gaps
from dimr.evaluate.attention import AttentionView, PersonAttention, part_views
from dimr.evaluate.confidence import Calibration
from dimr.evaluate.robust import DAMAGES, JointMeans
from dimr.files import write_atomically
from dimr.surface.atlas import Atlas
from dimr.surface.iuv import iuv_to_picture
from dimr.surface.parts import NUM_PARTS, PART_NAMES
from dimr.types import Iuv

OBJECT_RGB, PERSON_RGB = (120, 120, 120), (235, 235, 235)
COLOURS = {"synthetic": "tab:blue", "photographs": "tab:orange"}
KIND_COLOURS = {"gt": "tab:blue", "predicted": "tab:orange"}
SHEET_PARTS = (15, 6, 16, 18, 20, 1, 4, 7)
"""Of `draw_attention`: head, chest and the left limbs; the right ones mirror them."""
SHEET_TEXELS = 256


def label_picture(sample: CropSample | SceneSample) -> UInt8[np.ndarray, "S S 3"]:
    """IUV of the target, white where a person hides it, grey where an object does.

    For scenes: everybody's IUV.
    """
    side = sample.image.shape[0]
    if isinstance(sample, SceneSample):
        picture = iuv_to_picture(Iuv(sample.labels.person_id >= 0, sample.labels.uv))
        return cv2.resize(picture, (side, side), interpolation=cv2.INTER_NEAREST)
    picture = iuv_to_picture(sample.iuv)
    code = sample.occlusion.hidden_by
    picture[code > 0] = PERSON_RGB
    picture[code >= OBJECT] = OBJECT_RGB
    return cv2.resize(picture, (side, side), interpolation=cv2.INTER_NEAREST)


def summary(
    found: Survey, crops: RealCrops | None, looks: dict[str, PictureStatistics]
) -> dict[str, Any]:
    """The numbers of the page."""
    half = len(found.limbs_norm) // 2
    numbers: dict[str, Any] = {
        "count": len(found.yaw_deg),
        "yaw_within_60_deg": float((np.abs(found.yaw_deg) < 60).mean()),
        "tilt_beyond_60_deg": float((found.tilt_deg > 60).mean()),
        "hidden_share": _quantiles(found.hidden_share),
        "in_picture_share": _quantiles(found.in_picture_share),
        "height_share": _quantiles(found.height_share),
        "joint_seen": dict(zip(JOINT_NAMES, found.joint_seen.round(3).tolist(), strict=True)),
        "looks": {name: _numbers(each) for name, each in looks.items()},
        "pose_gap_synthetic": _quantiles(
            pose_gaps(found.limbs_norm[:half], found.limbs_norm[half:])
        ),
    }
    if crops is not None:
        complete = crops.limbs_seen.all(1)
        numbers["real"] = {
            "count": len(crops.pictures),
            "limb_labelled": dict(
                zip(LIMBS, crops.limbs_seen.mean(0).round(3).tolist(), strict=True)
            ),
            "pose_gap_to_synthetic": _quantiles(
                pose_gaps(crops.limbs_px[complete], found.limbs_norm)
            ),
            "looks_distance": histogram_distances(looks["synthetic"], looks["photographs"]),
        }
    return numbers


def draw_page(
    path: Path, found: Survey, crops: RealCrops | None, looks: dict[str, PictureStatistics]
) -> None:
    """Nine panels."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(3, 3, figsize=(14, 11))
    for place, (values, title, bins) in zip(
        axes.flat,
        (
            (found.yaw_deg, "yaw (0 = to the camera), degrees", np.linspace(-180, 180, 37)),
            (found.tilt_deg, "spine from upright, degrees", np.linspace(0, 180, 37)),
            (found.height_share, "longer side of the visible box / crop", np.linspace(0, 1, 26)),
            (found.hidden_share, "hidden share of the target", np.linspace(0, 1, 26)),
            (found.in_picture_share, "share of the body in the picture", np.linspace(0, 1, 26)),
        ),
        strict=False,
    ):
        place.hist(values, bins)
        place.set_title(title)
    joints, gaps, light, colour = axes.flat[5:]
    places = np.arange(len(LIMBS))
    joints.bar(places - 0.2, found.joint_seen[LIMBS_OF_JOINTS], 0.4, label="synthetic: seen")
    half = len(found.limbs_norm) // 2
    bins = np.linspace(0, 1, 41)
    own = pose_gaps(found.limbs_norm[:half], found.limbs_norm[half:])
    gaps.hist(own, bins, density=True, alpha=0.6, label="synthetic to synthetic")
    if crops is not None:
        seen, complete = crops.limbs_seen.mean(0), crops.limbs_seen.all(1)
        joints.bar(places + 0.2, seen, 0.4, label="photographs: labelled")
        to_synthetic = pose_gaps(crops.limbs_px[complete], found.limbs_norm)
        gaps.hist(to_synthetic, bins, density=True, alpha=0.6, label="photographs to synthetic")
    joints.set_xticks(places, LIMBS, rotation=60)
    joints.set_title("limb joints in sight")
    gaps.set_title("2D pose: distance to the nearest (in spreads)")
    for name, each in looks.items():
        light.plot(np.linspace(0, 1, 64), each.lightness, COLOURS[name], label=f"{name}: light")
        style = {"linestyle": "--", "label": f"{name}: saturation"}
        light.plot(np.linspace(0, 1, 64), each.saturations, COLOURS[name], **style)
        colour.plot(np.linspace(-1, 1, 64), each.lab_a, COLOURS[name], label=f"{name}: a*")
        style = {"linestyle": "--", "label": f"{name}: b*"}
        colour.plot(np.linspace(-1, 1, 64), each.lab_b, COLOURS[name], **style)
    light.set_title("lightness and saturation")
    colour.set_title("Lab a*, b*")
    colour.set_xlim(-0.4, 0.4)
    for place in (joints, gaps, light, colour):
        place.legend(fontsize=8)
    _save(figure, path)


def draw_curves(
    path: Path,
    by_damage: Mapping[str, Mapping[str, Mapping[float, JointMeans]]],
    by_hidden: Mapping[str, Mapping[tuple[float, float], JointMeans]],
) -> None:
    """Error of seen and completed joints against each damage, and against what is hidden.

    Args:
        path: PNG.
        by_damage: model -> damage -> strength -> means.
        by_hidden: model -> (from, to) of the hidden share -> means.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 4, figsize=(16, 8))
    for place, name in zip(axes.flat, DAMAGES, strict=False):
        place.set_title(name)
        place.set_xlabel(DAMAGES[name].unit)
        for row, curves in enumerate(by_damage.values()):
            _draw_means(place, curves[name], f"C{row}", None)
    hidden, legend = axes.flat[len(DAMAGES) :]
    hidden.set_title("no damage")
    hidden.set_xlabel("hidden share of the body")
    for row, (model, curve) in enumerate(by_hidden.items()):
        middles = {(low + high) / 2: means for (low, high), means in curve.items()}
        _draw_means(hidden, middles, f"C{row}", model)
    legend.axis("off")
    legend.legend(*hidden.get_legend_handles_labels(), loc="center")
    for place in axes[:, 0]:
        place.set_ylabel("error of a joint, mm")
    _save(figure, path)


def _draw_means(
    place: Any, curve: Mapping[float, JointMeans], colour: str, label: str | None
) -> None:
    """Two lines; what was not measured is a gap."""
    for kind, style in (("seen", "-"), ("completed", "--")):
        values = [getattr(means, f"{kind}_mm") for means in curve.values()]
        heights = np.array(values, np.float64)  # None becomes NaN
        place.plot(
            list(curve),
            heights,
            style,
            color=colour,
            marker="o",
            label=label and f"{label}: {kind}",
        )


def draw_logs(path: Path, logs: Sequence[Path]) -> None:
    """Validation metrics against updates, of runs that went on from one another.

    Args:
        path: PNG.
        logs: `log.jsonl` of `dimr train`, the first run first.

    Raises:
        ValueError: for a file that is no such log, or logs without a metric in common.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    runs = [_read_log(log) for log in logs]
    known = set.intersection(*({*lines[0]["validation"]} for lines in runs))
    names = [name for name in runs[0][0]["validation"] if name in known]
    if not names:
        raise ValueError(f"logs: {', '.join(map(str, logs))} have no metric in common")
    figure, axes = pyplot.subplots(1, len(names), figsize=(3.6 * len(names), 3.2), squeeze=False)
    for place, name in zip(axes[0], names, strict=True):
        before = 0
        for lines in runs:
            steps = [before + line["step"] for line in lines]
            place.plot(steps, [line["validation"][name] for line in lines], marker=".")
            before = steps[-1]
        place.set_title(name)
        place.set_xlabel("updates")
    _save(figure, path)


def _read_log(path: Path) -> list[dict[str, Any]]:
    if not path.exists() or path.is_dir():
        raise ValueError(f"logs: no file {path}")
    try:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for line in lines:
            _ = line["step"] + sum(line["validation"].values())
        _ = lines[0]
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise ValueError(f"logs: {path} is no log of `dimr train`") from error
    return lines


def draw_reliability(path: Path, by_kind: Mapping[str, Mapping[str, Calibration]]) -> None:
    """Actual against expected errors, bin by bin, each bin with its number of joints.

    Args:
        path: PNG.
        by_kind: whose IUV -> all, seen, hidden joints -> calibration.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    titles = {"all": "all joints", "seen": "joints in sight", "hidden": "hidden joints"}
    figure, axes = pyplot.subplots(1, 3, figsize=(16, 7.5), sharex=True, sharey=True)
    for place, (group, title) in zip(axes, titles.items(), strict=True):
        place.axline((0, 0), slope=1, color="grey", linestyle="--", label="expected = actual")
        for row, (kind, groups) in enumerate(by_kind.items()):
            if group not in groups:
                continue
            found = groups[group]
            expected, actual = zip(
                *((one.expected_mm, one.actual_mm) for one in found.bins), strict=True
            )
            place.plot(
                expected,
                actual,
                "o-",
                color=KIND_COLOURS[kind],
                label=f"{kind} IUV: expected {found.expected_mm:.0f}, "
                f"actual {found.actual_mm:.0f}, ECE {found.ece_mm:.0f} mm",
            )
            for one in found.bins:
                place.annotate(
                    str(one.joints),
                    (one.expected_mm, one.actual_mm),
                    (-6, 6) if row else (6, -6),
                    textcoords="offset points",
                    ha="right" if row else "left",
                    va="bottom" if row else "top",
                    fontsize=8,
                    color=KIND_COLOURS[kind],
                )
        place.set_title(title)
        place.set_xlabel("expected error of a joint, mm")
        place.legend(fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.11))
        place.grid(alpha=0.3)
    axes[0].set_ylabel("actual error, mm (mean of a bin; number of joints beside it)")
    axes[0].set_xlim(0)
    axes[0].set_ylim(0)
    _save(figure, path)


def draw_attention(
    path: Path, title: str, people: Sequence[PersonAttention], atlas: Atlas
) -> None:
    """Attention of some parts on the atlas: means and single people, part shown and hidden.

    The part's own chart is outlined; a cell is as black as it is attended to, relative to the
    map's peak. Single people are the least usual ones, and skin that their IUV does not show is
    pale.

    Args:
        path: PNG.
        title: says whose IUV it is.
        people: at least one.
        atlas: on which they were measured.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(4, len(SHEET_PARTS), figsize=(20, 11.6))
    figure.suptitle(title)
    part_of_texel = atlas.texels(SHEET_TEXELS).part
    for column, part in zip(axes.T, SHEET_PARTS, strict=True):
        groups = part_views(people, part)
        views = [None if pair is None else pair[row] for row in (0, 1) for pair in groups]
        for place, view in zip(column, views, strict=True):
            place.set_xticks([])
            place.set_yticks([])
            _draw_attention(place, part_of_texel, part, view)
        column[0].set_title(PART_NAMES[part], fontsize=13)
    labels = ("part shown: mean", "part hidden: mean", "shown: least usual", "hidden: least usual")
    for place, label in zip(axes[:, 0], labels, strict=True):
        place.set_ylabel(label, fontsize=12)
    _save(figure, path)


def _draw_attention(
    place: Any, part_of_texel: np.ndarray, part: int, view: AttentionView | None
) -> None:
    from matplotlib import colormaps

    whole = (0, 1, 1, 0)  # left, right, bottom, top: v grows downwards
    hues = np.arange(NUM_PARTS) * 0.618 % 1  # far apart for neighbours
    palette = 0.6 + 0.4 * colormaps["hsv"](hues)[:, :3]
    colours = np.vstack([palette, np.ones(3)])[part_of_texel]  # -1 is white
    if view is None:
        place.text(0.5, 0.5, "nobody", ha="center", va="center")
        place.axis("off")
        return
    if view.seen is not None:
        seen = cv2.resize(view.seen.astype(np.uint8), part_of_texel.shape, interpolation=0) > 0
        colours = np.where(seen[..., None], colours, 0.8 + 0.2 * colours)
    place.imshow(colours, extent=whole)
    peak = view.attention.max()
    black = np.zeros((*view.attention.shape, 4))
    black[..., 3] = 0.85 * view.attention / peak
    place.imshow(black, extent=whole, interpolation="nearest")
    middles = (np.arange(SHEET_TEXELS) + 0.5) / SHEET_TEXELS
    place.contour(middles, middles, part_of_texel == part, [0.5], colors="red", linewidths=1.2)
    place.set_xlabel(f"{view.about}; peak {peak:.2f}", fontsize=10)


def _save(figure: Any, path: Path) -> None:
    from matplotlib import pyplot

    figure.tight_layout()
    packed = io.BytesIO()
    figure.savefig(packed, format="png", dpi=80)
    pyplot.close(figure)
    write_atomically(path, packed.getvalue())


def _quantiles(values: np.ndarray) -> dict[str, float]:
    shares = (0.05, 0.25, 0.5, 0.75, 0.95)
    return {
        f"p{round(100 * share)}": round(float(np.quantile(values, share)), 4) for share in shares
    }


def _numbers(statistics: PictureStatistics) -> dict[str, Any]:
    """Those that are no histograms."""
    return {
        name: np.round(value, 3).tolist()
        for name, value in statistics._asdict().items()
        if np.ndim(value) == 0 or len(value) == 3
    }
