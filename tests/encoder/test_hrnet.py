import pickle
import sys

import pytest
import torch

from dimr.encoder.hrnet import POSE_LACKS, HrnetEncoder, pose_backbone, read_tensors


@pytest.fixture(scope="module")
def encoder():
    pytest.importorskip("timm")
    torch.manual_seed(0)
    return HrnetEncoder().eval()


@pytest.fixture(scope="module")
def pose_tensors(encoder):
    """What a COCO pose network holds: no paths to the coarse branches at the end, but a head."""
    generator = torch.Generator().manual_seed(1)
    tensors = {
        name: torch.rand(value.shape, generator=generator)
        for name, value in encoder.backbone.state_dict().items()
        if not name.startswith(POSE_LACKS) and not name.endswith("num_batches_tracked")
    }
    tensors["final_layer.weight"] = torch.rand(17, 32, 1, 1, generator=generator)
    tensors["final_layer.bias"] = torch.rand(17, generator=generator)
    return tensors


def saved(tmp_path, content):
    path = tmp_path / "pose.pth"
    torch.save(content, path)
    return path


def test_missing_timm_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ImportError, match=r'pip install -e "\.\[paper\]"'):
        HrnetEncoder()


class TestReadTensors:
    def test_drops_what_is_no_tensor(self, tmp_path):
        path = saved(tmp_path, {"state_dict": {"a": torch.ones(2), "epoch": 3}, "lr": 0.1})
        assert list(read_tensors(path)) == ["a"]

    def test_never_runs_code(self, tmp_path):
        marker = tmp_path / "ran"

        class Hostile:
            def __reduce__(self):
                return (open, (str(marker), "w"))

        with pytest.raises(ValueError, match="plain tensors"):
            read_tensors(saved(tmp_path, {"state_dict": Hostile()}))
        assert not marker.exists()

    @pytest.mark.parametrize(
        "content", [b"", b"not a checkpoint", pickle.dumps({"a": 1}, protocol=2)[:5]]
    )
    def test_refuses_rubbish(self, tmp_path, content):
        path = tmp_path / "rubbish.pth"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"rubbish\.pth"):
            read_tensors(path)

    def test_refuses_another_kind_of_content(self, tmp_path):
        with pytest.raises(ValueError, match="holds a list"):
            read_tensors(saved(tmp_path, [torch.ones(1)]))


@pytest.mark.parametrize("prefix", ["", "module.", "backbone.", "model.backbone."])
def test_pose_backbone_strips_prefixes_and_heads(prefix):
    names = ["conv1.weight", "stage4.2.branches.0.0.conv1.weight", "final_layer.weight"]
    tensors = {prefix + name: torch.ones(1) for name in names} | {"head.bias": torch.ones(1)}
    assert list(pose_backbone(tensors)) == names[:2]


class TestHrnetEncoder:
    @pytest.mark.parametrize("size", [224, 256])
    def test_shape(self, size):
        pytest.importorskip("timm")
        with torch.device("meta"):
            (features,) = HrnetEncoder()(torch.empty(2, 3, size, size))
        assert features.shape == (2, 480, size // 4, size // 4)

    def test_number_of_parameters(self, encoder):
        assert sum(each.numel() for each in encoder.parameters()) == 29_305_536

    def test_finest_branch_comes_first(self, encoder):
        image = torch.rand(1, 3, 64, 64)
        (features,) = encoder(image)
        branches = encoder.backbone((image - encoder.mean) / encoder.deviation)
        assert torch.equal(features[:, :32], branches[0])
        # a cell of the coarsest branch lies between pixels 3 and 4 of the finest
        middle = features[:, -256:, 3:5, 3:5].mean((2, 3))
        near = branches[3][:, :, 0, 0]
        assert (middle - near).abs().max() < 0.2 * (near - branches[3][:, :, 1, 1]).abs().max()

    def test_frozen_norms_stay_in_evaluation_mode(self, encoder):
        encoder.train()
        assert encoder.training
        assert not encoder.backbone.bn1.training
        encoder.eval()

    def test_refuses_sizes_that_do_not_divide(self, encoder):
        with pytest.raises(ValueError, match="multiples of 32"):
            encoder(torch.rand(1, 3, 100, 64))


class TestLoadCocoPoseCheckpoint:
    @pytest.mark.parametrize("prefix", ["", "model.backbone."])
    def test_loads_the_backbone(self, encoder, pose_tensors, tmp_path, prefix):
        content = {prefix + name: value for name, value in pose_tensors.items()}
        path = saved(tmp_path, {"state_dict": content, "epoch": 210} if prefix else content)
        missing = encoder.load_coco_pose_checkpoint(path)
        loaded = encoder.backbone.state_dict()
        assert torch.equal(loaded["conv1.weight"], pose_tensors["conv1.weight"])
        assert len(missing) == 65
        assert all(name.startswith(POSE_LACKS) for name in missing)

    def test_loads_a_network_with_all_branches(self, encoder, tmp_path):
        path = saved(tmp_path, encoder.backbone.state_dict())
        assert encoder.load_coco_pose_checkpoint(path) == []

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda t: t.pop("stage3.1.branches.2.0.conv1.weight"), "lacks stage3.1.branches.2"),
            (lambda t: t.update({"stage4.3.x.weight": torch.ones(1)}), "unknown stage4.3.x"),
            (lambda t: t.update({"conv1.weight": torch.ones(48, 3, 3, 3)}), r"\(48, 3, 3, 3\)"),
            (
                lambda t: t.update({"stage4.2.fuse_layers.1.0.0.0.weight": torch.ones(1)}),
                "without its siblings",
            ),
        ],
    )
    def test_refuses_another_network(self, encoder, pose_tensors, tmp_path, change, message):
        content = dict(pose_tensors)
        change(content)
        before = encoder.backbone.conv1.weight.clone()
        with pytest.raises(ValueError, match=message):
            encoder.load_coco_pose_checkpoint(saved(tmp_path, content))
        assert torch.equal(encoder.backbone.conv1.weight, before)
