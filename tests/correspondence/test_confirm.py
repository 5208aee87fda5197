import numpy as np
import pytest
import torch
from skimage.data import astronaut, coffee
from torch import nn

from dimr.correspondence.confirm import (
    CIRCLE,
    HIPS,
    confirm,
    distinct_people,
    next_window,
    upright_window,
)
from dimr.correspondence.people import mask_to_detection
from dimr.encoder.blazepose import BlazePose
from dimr.encoder.blazepose_heavy import BlazePoseHeavy
from dimr.image.crop import full_to_crop
from dimr.types import Crop


@pytest.fixture(scope="module")
def network():
    return BlazePose.pretrained().eval()


def landmarks(hips, circle):
    points = np.zeros((39, 5), np.float32)
    points[HIPS, :2], points[CIRCLE, :2] = hips, circle
    return points


class TestNextWindow:
    WINDOW = Crop((127.5, 127.5), 256.0, 256)

    def test_an_upright_body_gives_an_upright_window(self):
        moved = next_window(landmarks((100, 150), (100, 70)), self.WINDOW)
        assert moved.centre_px == pytest.approx((100, 150))
        assert moved.side_px == pytest.approx(2 * 80 * 1.25)
        assert moved.angle_rad == pytest.approx(0)

    @pytest.mark.parametrize("circle", [(180, 150), (40, 190), (100, 210)])
    def test_in_the_new_window_the_body_stands_upright(self, circle):
        moved = next_window(landmarks((100, 150), circle), self.WINDOW)
        x, y = full_to_crop(moved, np.array(circle, float))
        middle = (moved.size - 1) / 2
        assert x == pytest.approx(middle, abs=1e-6)
        assert y == pytest.approx(middle - moved.size / 2.5, abs=1e-6)

    def test_landmarks_in_one_point_make_no_window(self):
        assert next_window(landmarks((100, 150), (100, 150)), self.WINDOW) is None


@torch.no_grad()
def test_a_person_is_confirmed_and_outlined(network):
    picture = astronaut()
    found = confirm(network, picture, Crop((255.5, 255.5), 512.0, 256))
    assert found.score > 0.5
    assert found.mask[150, 225] and found.mask[450, 200]  # face, suit
    assert not found.mask[100, 400] and not found.mask[10, 10]  # shuttle, corner


@torch.no_grad()
def test_whoever_is_greyed_out_is_not_confirmed(network):
    picture = astronaut()
    known = confirm(network, picture, Crop((255.5, 255.5), 512.0, 256)).mask
    again = confirm(network, picture, Crop((255.5, 255.5), 512.0, 256), known)
    assert again is None


@torch.no_grad()
def test_a_cup_of_coffee_is_nobody(network):
    picture = coffee()
    height, width = picture.shape[:2]
    window = Crop(((width - 1) / 2, (height - 1) / 2), float(width), 256)
    assert confirm(network, picture, window) is None


@torch.no_grad()
def test_presence_decides(network):
    picture, window = astronaut(), Crop((255.5, 255.5), 512.0, 256)
    score = confirm(network, picture, window).score
    assert confirm(network, picture, window, least=score + 1e-3) is None
    assert confirm(network, picture, window, least=score - 1e-3).score == score


@torch.no_grad()
def test_whoever_lies_is_confirmed_in_a_window_that_is_turned(network):
    """A picture turned anticlockwise: the person's top lies to the left."""
    picture = np.ascontiguousarray(np.rot90(astronaut()))
    upright = Crop((255.5, 255.5), 512.0, 256)
    mask = np.ascontiguousarray(np.rot90(confirm(network, astronaut(), upright).mask))
    assert confirm(network, picture, upright) is None
    window = upright_window(np.array([255.5, 255.5]), np.array([50.0, 255.5]))
    found = confirm(network, picture, window)
    assert (mask & found.mask).sum() > 0.7 * (mask | found.mask).sum()


def test_people_seen_twice_are_kept_once():
    masks = np.zeros((3, 20, 20), bool)
    masks[0, 2:12, 2:12] = masks[1, 3:11, 3:11] = masks[2, 2:12, 12:19] = True
    part, whole, other = (
        mask_to_detection(score, mask)
        for score, mask in zip((0.6, 0.9, 0.7), masks[[1, 0, 2]], strict=True)
    )
    assert distinct_people([part, other, whole]) == [whole, other]


class Whole(BlazePoseHeavy):
    """Somebody everywhere, or nowhere."""

    def __init__(self, presence, logit):
        nn.Module.__init__(self)
        self.presence, self.logit = presence, logit

    def outline(self, image):
        return torch.full((1, 1, 256, 256), self.logit), torch.tensor([self.presence])


@torch.no_grad()
def test_another_network_has_as_much_say(network):
    picture, window = astronaut(), Crop((255.5, 255.5), 512.0, 256)
    alone = confirm(network, picture, window)
    nowhere = confirm(network, picture, window, larger=Whole(1.0, -2.0))
    everywhere = confirm(network, picture, window, larger=Whole(1.0, 2.0))
    assert nowhere.score == pytest.approx(np.sqrt(alone.score))
    assert nowhere.mask.sum() < alone.mask.sum() < everywhere.mask.sum()
    assert not (nowhere.mask & ~alone.mask).any() and not (alone.mask & ~everywhere.mask).any()
    # the mean of somebody for certain and nobody by half is somebody
    assert nowhere.mask[150, 225]
    assert confirm(network, picture, window, larger=Whole(0.1, 2.0)) is None
