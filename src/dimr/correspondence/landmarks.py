"""Picture and mark of one person -> where 39 landmarks of their body are, seen or not.

BlazePose's landmark network (Bazarevsky et al. 2020) speaks of the most prominent person of a
window who stands upright in it. This is that network, told who is meant: the second pass's mark
enters where its encoder has a stride of 8, through a layer that starts at zero. Trained on
(`dimr.train.landmarks`), it knows where the hidden parts of the one who is marked are and whether
they stand upright; with its authors' weights it heeds no mark.

How far off it may be it learns last, from what it says of people that it has not seen: `spread`
reads that from the features of the look that counts.

It looks for people in the surroundings of their crops, `AROUND` times as wide: a crop is made for
what is seen of somebody, and the rest of the body is where that ends.

The first look is at all of that, the second at the upright window around the body that it saw, the
third at the one around the body that the second saw, as MediaPipe tracks people from frame to
frame. Where the first is not upright for certain, there are first looks in all four rotations and
others after the two most upright of them; whoever is most upright in the first and the last is the
answer.

`SecondOpinion` is a larger network as its authors trained it: it heeds no mark and knows hidden
people less well, but photographs far better. It looks where another look would be next and follows
the body from there, and each of its landmarks counts by how far off it may be.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from dimr.correspondence.looks import MARK_SIZE, Look, look, rotations, window_after, window_around
from dimr.correspondence.network import MARKER_CHANNELS
from dimr.encoder.blazepose import (
    LANDMARK_CHANNELS,
    NUM_LANDMARKS,
    BlazePose,
    BlazePoseEncoder,
    LandmarkBranch,
    pointwise,
)
from dimr.encoder.blazepose_heavy import BlazePoseHeavy
from dimr.types import Crop

MARKED_LEVEL = 1
"""The stage of the encoder (stride 8) after which the mark enters."""
MARK_WIDTH = 32
AROUND = 1.5
"""Side of what is looked at as a multiple of the crop's."""
TURNS_RAD = (0.0, math.pi / 2, -math.pi / 2, math.pi)
"""Of first looks."""
CERTAIN = 0.95
"""A crop is not turned where its first look is upright with this probability."""
FOLLOWED = 2
"""So many first looks, the most upright ones, are followed."""
CLOSER_LOOKS = 2
"""At the body, one after the other, each where the one before saw it."""
POSE_VALUES = 10
"""Of each landmark; see `look_at_pose`."""
USUAL_SPREAD, LEAST_SPREAD, LARGEST_SPREAD = 0.1, 0.01, 1.5
"""Before anything is learnt of it; and between which it is: in half windows and in metres."""
SECOND_LOOKS = 3
"""Of the second opinion, one after the other as above."""
TRUST = 0.15
"""Of the second opinion: what it expects to be off in the picture counts so much. That is learnt
from drawn people, on whom it is worse than on photographs."""
SHARPNESS, SHARPNESS_M = 4, 2
"""Powers of what either expects to be off by which two opinions are weighed. Of two places in a
picture that are far apart one is wrong, and so is what lies between them."""


class Spread(nn.Linear):
    """The features of a look -> how far off its landmarks probably are."""

    def __init__(self) -> None:
        super().__init__(4 * LANDMARK_CHANNELS, 2 * NUM_LANDMARKS)
        nn.init.zeros_(self.weight)
        nn.init.constant_(self.bias, math.log(USUAL_SPREAD))

    def of(self, look: Look) -> Float[Tensor, "B 39 2"]:
        """Crop-normalised in the picture, and in metres."""
        read = self(look.summary.flatten(1)).unflatten(1, (NUM_LANDMARKS, 2))
        spread = read.clamp(math.log(LEAST_SPREAD), math.log(LARGEST_SPREAD)).exp()
        in_crop, in_metres = spread.unbind(-1)
        return torch.stack([in_crop * look.half[:, None], in_metres], dim=-1)


class SecondOpinion(nn.Module):
    """BlazePose heavy, and how far off it may be; the former never learns."""

    def __init__(self) -> None:
        super().__init__()
        self.network = BlazePoseHeavy.pretrained().eval().requires_grad_(False)
        self.spread = Spread()

    def forward(
        self, window: Float[Tensor, "B 3 256 256"], mark: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """As `LandmarkNet`, whatever is marked."""
        return self.network(window)

    def look_after(
        self,
        pose: Float[Tensor, "B 39 8"],
        image: Float[Tensor, "B 3 S S"],
        marker: Float[Tensor, "B 2 h w"],
        body: Float[Tensor, "B 2 2"] | None = None,
    ) -> Look:
        """The last of some looks from where another one would be next, or of as many from where
        somebody else saw the bodies, if anybody did: the surer one.
        """
        starts = [window_after(pose)]
        if body is not None:
            starts.append(window_around(*body.unbind(1)))
        middle, axes = (torch.cat(each) for each in zip(*starts, strict=True))
        pictures, marks = (_repeat(each, len(starts)) for each in (image, marker))
        for _ in range(SECOND_LOOKS):
            last = look(self, pictures, marks, middle, axes)
            middle, axes = window_after(last.pose)
        return _surest(last, last.upright, len(starts))[0]


class LandmarkNet(nn.Module):
    """Windows of 256 x 256 and marks -> landmarks in the window and in the world.

    Initial weights are random; `pretrained` has those of the original network. `second`, if it is
    set, is asked, too.
    """

    def __init__(self) -> None:
        super().__init__()
        encoder = BlazePoseEncoder()
        self.stem, self.stages, self.top = encoder.stem, encoder.stages, encoder.top
        last = pointwise(MARK_WIDTH, MARK_WIDTH)
        assert last.bias is not None
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.mark = nn.Sequential(
            nn.Conv2d(MARKER_CHANNELS, MARK_WIDTH, 3, padding=1), nn.ReLU(), last
        )
        self.branch = LandmarkBranch()
        self.spread = Spread()
        self.second: SecondOpinion | None = None

    @classmethod
    def pretrained(cls) -> "LandmarkNet":
        """What the original network says, whatever is marked; the same each time."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            original, network = BlazePose.pretrained(), cls()
        network.stem, network.stages = original.encoder.stem, original.encoder.stages
        network.top, network.branch = original.encoder.top, original.landmarks
        return network

    def forward(
        self, window: Float[Tensor, "B 3 256 256"], mark: Float[Tensor, "B 2 32 32"]
    ) -> tuple[
        Float[Tensor, "B 39 5"],
        Float[Tensor, "B 39 3"],
        Float[Tensor, "B"],
        Float[Tensor, "B 288 2 2"],
    ]:
        """What the network says of windows.

        Only the stages behind the mark take part in autocast: those before it are faster without
        on CPUs, and in bfloat16 the branch's metres, differences of large numbers, would be eight
        centimetres off.

        Returns:
            Places in pixels (x, y, z) with logits of being seen and of being inside; places in
            metres; the probability that the window is turned as the body is; the features that
            say so.
        """
        before, after = self.stages[: MARKED_LEVEL + 1], self.stages[MARKED_LEVEL + 1 :]
        with torch.autocast(window.device.type, enabled=False):
            features = self.stem(window.float().contiguous(memory_format=torch.channels_last))
            for stage in before:
                features = stage(features)
        features = features + self.mark(mark)
        for stage in after:
            features = stage(features)
        features = self.top(features)
        with torch.autocast(window.device.type, enabled=False):
            summary = self.branch.summarise(features.float())
            return *self.branch.read(summary), summary


def look_at_pose(
    network: LandmarkNet,
    image: Float[Tensor, "B 3 S S"],
    marker: Float[Tensor, "B 2 h w"],
    body: Float[Tensor, "B 2 2"] | None = None,
) -> Float[Tensor, "B 39 10"]:
    """Landmarks of the marked person of each crop.

    Args:
        network: looks.
        image: crops.
        marker: who is meant and who is not, at any resolution.
        body: where somebody else saw them: `HIPS` and `CIRCLE`, crop-normalised. There the second
            opinion looks, too.

    Returns:
        x, y, z in crop-normalised coordinates, the probabilities of being seen and of being
        inside, and x, y, z in metres; how far off x, y and the metres are, to be expected.
    """
    return ask_second(network, own_pose(network, image, marker), image, marker, body)


def own_pose(
    network: LandmarkNet, image: Float[Tensor, "B 3 S S"], marker: Float[Tensor, "B 2 h w"]
) -> Float[Tensor, "B 39 10"]:
    """`look_at_pose` without a second opinion."""
    found = find_pose(network, image, marker)
    return torch.cat([found.pose, network.spread.of(found)], dim=-1)


def ask_second(
    network: LandmarkNet,
    own: Float[Tensor, "B 39 10"],
    image: Float[Tensor, "B 3 S S"],
    marker: Float[Tensor, "B 2 h w"],
    body: Float[Tensor, "B 2 2"] | None = None,
) -> Float[Tensor, "B 39 10"]:
    """Landmarks of `own_pose`, weighed with the second opinion if there is one."""
    if network.second is None:
        return own
    other = network.second.look_after(own[..., :8], image, marker, body)
    spread = network.second.spread.of(other) * own.new_tensor([TRUST, 1.0])
    return weigh(own, torch.cat([other.pose, spread], dim=-1))


def weigh(
    pose: Float[Tensor, "B 39 10"], other: Float[Tensor, "B 39 10"]
) -> Float[Tensor, "B 39 10"]:
    """Means of two opinions, weighed by inverse powers of how far off each may be.

    Probabilities are those of the first, which knows who is meant.
    """
    found = pose.clone()
    for places, spread, power in (
        (slice(0, 3), slice(8, 9), SHARPNESS),
        (slice(5, 8), slice(9, 10), SHARPNESS_M),
    ):
        share = 1 / (1 + (pose[..., spread] / other[..., spread]) ** power)
        for values in (places, spread):
            found[..., values] = torch.lerp(other[..., values], pose[..., values], share)
    return found


def look_unmarked(
    network: LandmarkNet, image: Float[Tensor, "B 3 S S"]
) -> tuple[Float[Tensor, "B 39 2"], Float[Tensor, "B 39"]]:
    """Landmarks of the most prominent person, whoever that is, and how far off they may be.

    The former are the second opinion's, where there is one, which knows photographs better; the
    latter, in half windows, are the network's own, who better knows whether anybody is there.
    """
    nobody = image.new_zeros(len(image), MARKER_CHANNELS, 2 * MARK_SIZE, 2 * MARK_SIZE)
    found = find_pose(network, image, nobody)
    spread = network.spread.of(found)[..., 0] / found.half[:, None]
    if network.second is not None:
        found = network.second.look_after(found.pose, image, nobody)
    return found.pose[..., :2], spread


def surroundings(crop: Crop) -> Crop:
    """The window around a crop in which the whole body is looked for, pixels as large."""
    return replace(crop, side_px=AROUND * crop.side_px, size=round(AROUND * crop.size))


def look_around(
    network: LandmarkNet,
    image: Float[Tensor, "B 3 W W"],
    marker: Float[Tensor, "B 2 h w"],
    body: Float[Tensor, "B 2 2"] | None = None,
    second: bool = True,
) -> tuple[Float[Tensor, "B 39 10"], Float[Tensor, "B 39 10"]]:
    """`own_pose` of surroundings and, if `second`, `look_at_pose`, else the former again; both in
    coordinates of the crops in their middle.
    """
    own = pose = own_pose(network, image, marker)
    if second:
        body = None if body is None else body / AROUND
        pose = ask_second(network, own, image, marker, body)
    return narrow_pose(own), narrow_pose(pose)


def narrow_pose(pose: Float[Tensor, "B 39 10"]) -> Float[Tensor, "B 39 10"]:
    """Landmarks of surroundings, in crop-normalised coordinates of the crop in their middle."""
    scale = pose.new_ones(POSE_VALUES)
    scale[:3], scale[8] = AROUND, AROUND
    return pose * scale


def widen(image: Float[Tensor, "B C S S"]) -> Float[Tensor, "B C W W"]:
    """Surroundings of crops of which nothing else is known: black."""
    rim = round((AROUND - 1) / 2 * image.shape[-1])
    return functional.pad(image, (rim, rim, rim, rim))


def find_pose(
    network: nn.Module, image: Float[Tensor, "B 3 S S"], marker: Float[Tensor, "B 2 h w"]
) -> Look:
    """The last look that counts, of each crop."""
    found, upright = _search(network, image, marker, TURNS_RAD[:1])
    unsure = (upright < CERTAIN).nonzero()[:, 0]
    if len(unsure):
        other, _ = _search(network, image[unsure], marker[unsure], TURNS_RAD)
        for values, better in zip(found, other, strict=True):
            values[unsure] = better
    return found


def _search(
    network: nn.Module, image: Tensor, marker: Tensor, turns_rad: Sequence[float]
) -> tuple[Look, Float[Tensor, "B"]]:
    """The last look that counts, and how upright the first one was."""
    count = len(turns_rad)
    angle_rad = image.new_tensor(turns_rad).repeat_interleave(len(image))
    pictures, marks = (_repeat(each, count) for each in (image, marker))
    middle = image.new_zeros(len(pictures), 2)
    first = look(network, pictures, marks, middle, rotations(angle_rad))
    upright, turns = first.upright.view(count, -1).topk(min(FOLLOWED, count), dim=0)
    followed = len(turns)
    seen = first.pose.unflatten(0, (count, -1))[turns, torch.arange(len(image))].flatten(0, 1)
    pictures, marks = (_repeat(each, followed) for each in (image, marker))
    for _ in range(CLOSER_LOOKS):
        closer = look(network, pictures, marks, *window_after(seen))
        seen = closer.pose
    found, best = _surest(closer, closer.upright * upright.flatten(), followed)
    return found, upright.gather(0, best[None])[0]


def _repeat(pictures: Float[Tensor, "B C H W"], count: int) -> Float[Tensor, "N C H W"]:
    """The batch so many times: networks are faster at several windows at once."""
    return pictures.repeat(count, 1, 1, 1)


def _surest(looks: Look, sure: Float[Tensor, "N"], count: int) -> tuple[Look, Int[Tensor, "B"]]:
    """For each crop the surest of `count` batches of looks, and which one that is."""
    best = sure.view(count, -1).argmax(0)
    every = torch.arange(len(best))
    return Look(*(each.unflatten(0, (count, -1))[best, every] for each in looks)), best
