"""Where on the atlas does each part look, and where if it is hidden? (`ATTENTION`).

The paper's Fig. 5 shows attention (Eq. 2) that peaks, for each part, at one place of the UV map
for everybody, with further places that differ between people. This measures both on F_UV^d, whose
h x w cells divide the atlas. docs/attention.md explains the numbers.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from dimr.correspondence.stage1 import Stage1
from dimr.data.synthetic.people import CropSample
from dimr.evaluate.synthetic import regress_view, view_of
from dimr.network.complete import Complete, PartAttention, part_area
from dimr.network.dimr import Dimr
from dimr.surface.atlas import Atlas
from dimr.surface.iuv import part_seen, seen_texels
from dimr.surface.parts import NUM_PARTS

SHOWN_SHARE = 0.1
"""Share of a part's texels from which its IUV shows it; it is hidden where there are none."""

CELL_TEXELS = 8
"""Side of a cell of F_UV^d, in texels, when its parts' shares are counted."""


class PersonAttention(NamedTuple):
    """Of one person with one IUV."""

    attention: Float[np.ndarray, "24 h w"]
    seen: Bool[np.ndarray, "R R"]
    """Texels of the atlas on which the IUV has pixels."""
    part_seen: Float[np.ndarray, "24"]
    """Share of each part's texels that are seen."""


class GroupMeans(NamedTuple):
    """Of one part, over people who show it or over people who hide it."""

    people: int
    own_share: float
    entropy: float
    centre_distance: float
    """Of the centre of attention from the part's usual one, in sides of the atlas."""
    variation: float
    """Total variation distance from the part's usual map: the share of attention elsewhere."""


class PartMeasures(NamedTuple):
    """Of one part, over everybody."""

    centre_uv: tuple[float, float]
    """Mean over people of the expected (u, v) under attention."""
    variance_ratio: float
    """Variance of that centre over people / variance of the parts' mean centres."""
    own_share: float
    """Attention on the part's own chart; 1 if all is on cells that are as much its as any."""
    own_share_uniform: float
    """The same for attention that is everywhere the same."""
    own_share_fixed: float
    """The same for the learnt map of logits alone, without features."""
    entropy: float
    """In nats; 0 on one cell, log(h w) if uniform."""
    entropy_fixed: float
    shown: GroupMeans | None
    """None where fewer than two people show the part: there is no usual map."""
    hidden: GroupMeans | None
    """None where nobody hides it, or there is no usual map."""


def fixed_attention(stage2: Dimr, name: str) -> Float[np.ndarray, "24 h w"]:
    """Attention of the learnt map of logits alone, as if features said nothing.

    Args:
        stage2: any variant.
        name: what a message calls it.

    Raises:
        ValueError: if it has no attention, or one over the picture instead of the atlas.
    """
    pool = stage2.complete.pool if isinstance(stage2.complete, Complete) else None
    if not isinstance(pool, PartAttention):
        raise ValueError(f"weights: {name} has no attention, want a variant that has")
    if pool.place_bias is None:
        raise ValueError(f"weights: {name} attends to the picture, want one with an atlas")
    logits = pool.place_bias.detach()
    return logits.flatten(1).softmax(dim=1).view_as(logits).numpy()


def person_attention(
    sample: CropSample, stage1: Stage1, stage2: Dimr, atlas: Atlas, kind: str
) -> PersonAttention:
    """Attention of one test person; `kind` as in `view_of`."""
    view = view_of(sample, stage1, kind)
    regression, iuv = regress_view(view, stage2), view.iuv
    if regression.attention is None:
        raise ValueError("attention: got None, want a variant with attention")
    attention = regression.attention[0].numpy()
    return PersonAttention(attention, seen_texels(iuv, atlas), part_seen(iuv, atlas))


def centres_uv(attention: Float[np.ndarray, "*N h w"]) -> Float[np.ndarray, "*N 2"]:
    """Expected (u, v): mean of the cells' middles, weighted by attention."""
    height, width = attention.shape[-2:]
    u = attention.sum(-2) @ ((np.arange(width) + 0.5) / width)
    v = attention.sum(-1) @ ((np.arange(height) + 0.5) / height)
    return np.stack([u, v], -1)


def entropy(attention: Float[np.ndarray, "*N P h w"]) -> Float[np.ndarray, "*N P"]:
    """In nats."""
    return -(attention * np.log(np.maximum(attention, 1e-30))).sum((-2, -1))


def measure_parts(
    people: Sequence[PersonAttention],
    atlas: Atlas,
    fixed: Float[np.ndarray, "24 h w"],
) -> list[PartMeasures]:
    """What docs/attention.md lists, for each part.

    Args:
        people: at least one.
        atlas: on which stage 2 works.
        fixed: `fixed_attention`.
    """
    attention = np.stack([each.attention for each in people]).astype(np.float64)
    seen = np.stack([each.part_seen for each in people])
    height, width = attention.shape[-2:]
    area = part_area(atlas.texels(CELL_TEXELS * height).part, height, width).numpy()
    centre = centres_uv(attention)  # [N, P, 2]
    own = (attention * area).sum((2, 3))  # [N, P]
    spread = entropy(attention)
    mean_centre = centre.mean(0)
    between = ((mean_centre - mean_centre.mean(0)) ** 2).sum(1).mean()
    between = max(between, 1e-12)  # all parts may look at one and the same place
    within = ((centre - mean_centre) ** 2).sum(2).mean(0)
    fixed_own, fixed_entropy = (fixed * area).sum((1, 2)), entropy(fixed)
    measures = []
    for part in range(NUM_PARTS):
        shown, hidden = seen[:, part] >= SHOWN_SHARE, seen[:, part] == 0
        columns = attention[:, part], centre[:, part], own[:, part], spread[:, part]
        measures.append(
            PartMeasures(
                centre_uv=(float(mean_centre[part, 0]), float(mean_centre[part, 1])),
                variance_ratio=float(within[part] / between),
                own_share=float(own[:, part].mean()),
                own_share_uniform=float(area[part].mean()),
                own_share_fixed=float(fixed_own[part]),
                entropy=float(spread[:, part].mean()),
                entropy_fixed=float(fixed_entropy[part]),
                shown=_group_means(shown, shown, *columns),
                hidden=_group_means(hidden, shown, *columns),
            )
        )
    return measures


def _group_means(
    group: Bool[np.ndarray, "N"],
    shown: Bool[np.ndarray, "N"],
    attention: Float[np.ndarray, "N h w"],
    centre: Float[np.ndarray, "N 2"],
    own: Float[np.ndarray, "N"],
    spread: Float[np.ndarray, "N"],
) -> GroupMeans | None:
    """Means over a group; usual is the mean over all others who show the part."""
    count = shown.sum()
    if count < 2 or not group.any():
        return None
    # x - mean of the n - 1 others = (x - mean of all n) n / (n - 1)
    without_self = np.where(shown, count / (count - 1), 1)
    distance = np.linalg.norm(centre - centre[shown].mean(0), axis=1) * without_self
    variation = np.abs(attention - attention[shown].mean(0)).sum((1, 2)) / 2 * without_self
    columns = (own, spread, distance, variation)
    return GroupMeans(int(group.sum()), *(float(each[group].mean()) for each in columns))


def mean_over_parts(measures: Sequence[PartMeasures]) -> PartMeasures:
    """Means over parts, each counting once.

    Shown and hidden are over those parts that have both, so that the two can be compared; None if
    no part has. Their `people` are pairs of a person and a part.
    """
    pairs = [(part.shown, part.hidden) for part in measures]
    both = [(shown, hidden) for shown, hidden in pairs if shown and hidden]
    shown, hidden = map(_mean_groups, zip(*both, strict=True)) if both else (None, None)
    centre_u, centre_v = np.mean([part.centre_uv for part in measures], 0).tolist()
    rest = {
        name: float(np.mean([getattr(part, name) for part in measures]))
        for name in PartMeasures._fields[1:-2]
    }
    return PartMeasures((centre_u, centre_v), shown=shown, hidden=hidden, **rest)


def _mean_groups(groups: Sequence[GroupMeans]) -> GroupMeans:
    means = np.mean([each[1:] for each in groups], 0).tolist()
    return GroupMeans(sum(each.people for each in groups), *means)


class AttentionView(NamedTuple):
    """One map to draw."""

    about: str
    attention: Float[np.ndarray, "h w"]
    seen: Bool[np.ndarray, "R R"] | None = None
    """Of a single person: texels that the IUV shows."""


def part_views(
    people: Sequence[PersonAttention], part: int
) -> list[tuple[AttentionView, AttentionView] | None]:
    """The mean and one person, of those who show a part and of those who hide it; None of nobody.

    The one is the person whose map is the farthest from the mean (in total variation): what
    depends on the person is seen there, if anything does.
    """
    seen = np.array([each.part_seen[part] for each in people])
    views = []
    for chosen in (seen >= SHOWN_SHARE, seen == 0):
        group = [each for each, taken in zip(people, chosen, strict=True) if taken]
        if not group:
            views.append(None)
            continue
        maps = np.stack([each.attention[part] for each in group])
        variation = np.abs(maps - maps.mean(0)).sum((1, 2)) / 2
        farthest = variation.argmax()
        mean = AttentionView(f"n = {len(group)}", maps.mean(0))
        about = f"{variation[farthest]:.2f} elsewhere"
        one = AttentionView(about, maps[farthest], group[farthest].seen)
        views.append((mean, one))
    return views
