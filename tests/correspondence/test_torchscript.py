import numpy as np
import pytest
import torch

from dimr.correspondence.torchscript import TorchScriptDensePose

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
PICTURE = np.zeros((40, 60, 3), np.uint8)


class Stub(torch.nn.Module):
    """One person in the box that the blue channel's first pixels name; part 5 in its left half."""

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        box = image[0, :4, 0].float()[None]
        fine = torch.zeros(1, 25, 112, 112)
        fine[:, 5, :, :56] = 9.0
        fine[:, 0, :, 56:] = 9.0
        coarse = torch.zeros(1, 2, 112, 112)
        coarse[:, 1] = 1.0
        u = torch.full((1, 25, 112, 112), 0.25)
        v = torch.full((1, 25, 112, 112), 1.75)
        return {
            "image_size": torch.tensor([image.shape[0], image.shape[1]]),
            "pred_boxes": box,
            "scores": torch.ones(1) * 0.75,
            "pred_classes": torch.zeros(1, dtype=torch.int64),
            "pred_densepose_coarse_segm": coarse,
            "pred_densepose_fine_segm": fine,
            "pred_densepose_u": u,
            "pred_densepose_v": v,
        }


class Wrong(torch.nn.Module):
    """The stub's output with one entry replaced."""

    def __init__(self, key: str, value: torch.Tensor):
        super().__init__()
        self.stub, self.key, self.value = Stub(), key, value

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        output = self.stub(image)
        output[self.key] = self.value
        return output


class Bare(torch.nn.Module):
    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"boxes": image.float()}


class NoDict(torch.nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image


class Failing(torch.nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image.reshape(7, 7, 7)


@pytest.fixture
def scripted(tmp_path):
    def write(module: torch.nn.Module):
        path = tmp_path / "densepose.ts"
        torch.jit.script(module).save(str(path))
        return TorchScriptDensePose(path)

    return write


def test_stub_is_run_and_decoded(scripted):
    picture = PICTURE.copy()
    picture[0, :4, 2] = (10, 5, 30, 35)  # blue of RGB is the first of BGR
    (person,) = scripted(Stub()).find(picture)
    assert person.score == 0.75
    np.testing.assert_array_equal(person.box_px, [10, 5, 30, 35])
    assert person.part.shape == (30, 20)
    assert (person.part[:, :10] == 5).all() and (person.part[:, 10:] == 0).all()
    np.testing.assert_allclose(person.chart_uv[:, :10, 0], 0.25)
    np.testing.assert_allclose(person.chart_uv[:, :10, 1], 1)


def test_nobody(scripted):
    model = scripted(Wrong("pred_boxes", torch.zeros(0, 4)))
    with pytest.raises(ValueError, match="scores"):
        model.find(PICTURE)
    nobody = Wrong("pred_boxes", torch.zeros(0, 4))
    nobody.stub = Wrong("scores", torch.zeros(0))
    assert scripted(nobody).find(PICTURE) == []


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Bare(), r"lacks the tensors pred_boxes, scores, .*_v \(it has boxes\)"),
        (NoDict(), "returned Tensor, want a dictionary"),
        (Failing(), "the model failed"),
        (Wrong("pred_boxes", torch.zeros(1, 5)), r"pred_boxes is \(1, 5\)"),
        (Wrong("pred_boxes", torch.tensor([[0.0, 0, 600, 20]])), "not in a picture of 60 x 40"),
        (Wrong("pred_densepose_u", torch.zeros(1, 24, 4, 4)), r"_u is .*want floats \(1, 25"),
        (Wrong("pred_densepose_u", torch.zeros(25, 4, 4)), "_u is"),
        (Wrong("pred_densepose_coarse_segm", torch.zeros(1, 1, 4, 4)), "K >= 2"),
        (Wrong("pred_densepose_v", torch.zeros(1, 25, 4, 4).long()), "_v is torch.int64"),
    ],
)
def test_other_outputs_are_refused(scripted, module, message):
    with pytest.raises(ValueError, match=message) as refusal:
        scripted(module).find(PICTURE)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"text" * 100])
def test_files_that_are_no_torchscript_are_refused(tmp_path, content):
    path = tmp_path / "model.ts"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="cannot be loaded as TorchScript") as refusal:
        TorchScriptDensePose(path)
    assert "\n" not in str(refusal.value)
