from dataclasses import replace

import pytest
import torch

from dimr.network.dimr import PAPER_SIZE, Dimr, HeadSize
from dimr.network.encode import Standardise
from dimr.network.regress import USUAL_ERROR_M
from dimr.network.variants import build_stage2


@pytest.fixture
def model(toy_encoder, toy_size, toy_parts, toy_rest):
    size = replace(toy_size, landmarks=True, uncertainty=True)
    return build_stage2("dimr", toy_encoder, toy_parts, size, toy_rest).eval()


def same(first, second):
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def open_gain(model: Dimr) -> Dimr:
    """Lets the picture in, as training would."""
    torch.nn.init.normal_(model.fuse.feature_gain.weight)
    return model


def test_shapes(model, toy_batch):
    regression = model(*toy_batch)
    assert regression.rotmats.shape == (3, 24, 3, 3)
    assert regression.betas.shape == (3, 10)
    assert regression.camera.shape == (3, 3)
    assert regression.part_features.shape == (3, 24, 16)
    assert regression.attention.shape == (3, 24, 4, 4)


def test_regress_from_shares_an_encoder_pass(model, toy_batch):
    image, mask, uv = toy_batch
    same(open_gain(model)(image, mask, uv), model.regress_from(model.encoder(image), mask, uv))


def test_poses_are_regressed_in_single_precision(model, toy_batch):
    """Under autocast everything before them is not."""
    image, mask, uv = toy_batch
    exact = open_gain(model)(image, mask, uv)
    asked = []
    model.regress.register_forward_pre_hook(lambda layer, given: asked.append(given))
    with torch.autocast("cpu", torch.bfloat16):
        rough = model(image, mask, uv)
    completed, global_features, *_ = asked[0]
    given = (completed.vector, completed.part_features, global_features)
    assert all(each.dtype == torch.float32 for each in (*given, *rough))
    assert (completed.vector - completed.vector.bfloat16()).abs().max() == 0  # were rounded
    difference = (rough.rotmats - exact.rotmats).abs().max()
    assert 0 < difference < 0.01
    again = model.regress(*asked[0])
    torch.testing.assert_close(again.rotmats, rough.rotmats, atol=0, rtol=0)


def test_picture_joins_without_changing_the_function(model, toy_batch):
    """A head that was trained on the IUV alone computes the same when features attach."""
    image, mask, uv = toy_batch
    without = model.regress_from(None, mask, uv)
    same(model(image, mask, uv), without)
    assert (open_gain(model)(image, mask, uv).betas - without.betas).abs().max() > 1e-6


def pose_on(mask):
    """Landmarks that all lie on the last visible pixel of each crop."""
    pose = torch.rand(len(mask), 39, 10)
    pose[..., 3] = 0.9
    for crop, own in zip(mask, pose, strict=True):
        if crop.any():
            own[:, :2] = (crop.nonzero()[-1].flip(0) + 0.5) * (2 / len(crop)) - 1
    return pose


def test_landmarks_join_without_changing_the_function_and_are_heard(model, toy_batch):
    _, mask, uv = toy_batch
    pose = pose_on(mask)
    without = model.regress_from(None, mask, uv)
    same(model.regress_from(None, mask, uv, pose=pose), without)
    torch.nn.init.normal_(model.regress.enter_landmarks[-1].weight)
    heard = model.regress_from(None, mask, uv, pose=pose)
    assert ((heard.betas - without.betas).abs().amax(1) > 1e-6).all()


def test_expected_errors_are_positive_and_start_at_the_usual(model, toy_batch):
    error = model(*toy_batch).joint_error_m
    torch.testing.assert_close(error, torch.full((3, 24), USUAL_ERROR_M))


def test_expected_errors_teach_the_rest_of_the_network_nothing(model, toy_batch):
    image, mask, uv = toy_batch
    torch.nn.init.normal_(model.regress.decode_error.weight)
    model.zero_grad()
    model(image, mask, uv).joint_error_m.sum().backward()
    learnt = {name for name, each in model.named_parameters() if each.grad is not None}
    assert learnt == {"regress.decode_error.weight", "regress.decode_error.bias"}


def test_the_paper_s_head_has_none_of_our_additions():
    assert not (PAPER_SIZE.landmarks or PAPER_SIZE.surface or PAPER_SIZE.uncertainty)


def test_finite_when_nobody_is_visible(model, toy_batch):
    image, mask, uv = toy_batch
    regression = open_gain(model)(image, torch.zeros_like(mask), torch.zeros_like(uv))
    assert all(each.isfinite().all() for each in regression)
    sum(each.sum() for each in regression).backward()
    assert all(each.grad.isfinite().all() for each in model.parameters() if each.grad is not None)


def test_crop_by_crop_equals_the_batch(model, toy_batch, monkeypatch):
    monkeypatch.setattr(Standardise, "MOMENTUM", 0.0)  # statistics follow, over many batches
    together = open_gain(model).train()(*toy_batch)
    for index in range(3):
        alone = model(*(each[index : index + 1] for each in toy_batch))
        same(alone, [each[index : index + 1] for each in together])


def test_all_parameters_learn(model, toy_batch):
    image, mask, uv = toy_batch
    maps = open_gain(model).encoder(image)
    regression = model.regress_from(maps, mask, uv, pose=pose_on(mask))
    sum(each.square().sum() for each in regression).backward()
    assert [name for name, each in model.named_parameters() if each.grad is None] == []


def test_state_dict_keys(model):
    """The contract of shipped weights: these first names, and no constant maps."""
    names = {".".join(name.split(".")[:2]) for name in model.state_dict()}
    assert {name for name in names if not name.startswith("encoder.")} == {
        "fuse.standardise",
        "fuse.project",
        "fuse.feature_gain",
        "complete.down",
        "complete.pool",
        "regress.initial_state",
        "regress.enter_features",
        "regress.enter_landmarks",
        "regress.decode_error",
        "regress.enter_state",
        "regress.hidden",
        "regress.decode_theta",
        "regress.decode_betas",
        "regress.decode_camera",
    }


class TestOverfit:
    def test_learns_one_batch_from_the_iuv(self, model, toy_batch):
        """Two visible people with different IUVs get two different poses."""
        _, mask, uv = (each[:2] for each in toy_batch)
        torch.manual_seed(3)
        wanted = torch.linalg.qr(torch.randn(2, 24, 3, 3)).Q
        wanted = wanted * torch.linalg.det(wanted)[..., None, None]
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        first = None
        for _ in range(80):
            loss = (model.regress_from(None, mask, uv).rotmats - wanted).square().mean()
            first = first or loss.item()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        assert loss.item() < 0.05 * first


class TestHeadSize:
    def test_down_stride(self):
        assert HeadSize().down_stride == 8
        assert PAPER_SIZE.down_stride == 4
