import base64
import dataclasses
import io
import pickle
import sys
import types
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from damaged_zip import UNREADABLE, rewrite_directory
from dimr.correspondence.densepose_dump import DensePoseDump
from dimr.correspondence.iuv_sources import Target, open_source
from dimr.surface.atlas import load_atlas
from dimr.surface.uv_table import UvTable

FIELDS = {
    "DensePoseChartResult": ("labels", "uv"),
    "DensePoseChartResultWithConfidences": (
        "labels uv sigma_1 sigma_2 kappa_u kappa_v fine_segm_confidence coarse_segm_confidence"
    ).split(),
    "DensePoseChartResultQuantized": ("labels_uv_uint8",),
    "DensePoseChartResultCompressed": ("shape_chw", "labels_uv_str"),
}


@pytest.fixture
def charts(monkeypatch):
    """The module whose classes real dumps name; gone again before anything is read."""
    module = types.ModuleType("densepose.structures.chart_result")
    for name, fields in FIELDS.items():
        made = dataclasses.make_dataclass(name, [(field, object, None) for field in fields])
        made.__module__ = module.__name__
        setattr(module, name, made)
    boxes = types.ModuleType("detectron2.structures.boxes")
    boxes.Boxes = type("Boxes", (), {"__module__": boxes.__name__})
    module.Boxes = boxes.Boxes
    for name in ("densepose", "densepose.structures", "detectron2", "detectron2.structures"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(sys.modules, boxes.__name__, boxes)
    module.forget = lambda: monkeypatch.undo()
    return module


def labels(height: int, width: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    part = torch.randint(0, 25, (height, width), generator=draw)
    return part, torch.rand(2, height, width, generator=draw)


def record(results: list, name: str = "/data/pictures/a.jpg") -> dict:
    count = len(results)
    return {
        "file_name": name,
        "scores": torch.linspace(0.9, 0.6, count),
        "pred_boxes_XYXY": torch.tensor([[2.5, 3.5, 6.6, 8.7]]).repeat(count, 1),
        "pred_densepose": results,
    }


def save(tmp_path, content, charts=None):
    path = tmp_path / "dump.pkl"
    torch.save(content, path)
    if charts is not None:
        charts.forget()
    return path


class TestRead:
    def test_what_apply_net_writes(self, tmp_path, charts):
        part, uv = labels(5, 4)
        one = charts.DensePoseChartResultWithConfidences(part, uv, sigma_1=torch.ones(5, 4))
        other = charts.DensePoseChartResultWithConfidences(*labels(5, 4, 1))
        dump = DensePoseDump(save(tmp_path, [record([one, other])], charts))
        assert "densepose" not in sys.modules
        assert dump.pictures == ["/data/pictures/a.jpg"]
        first, second = dump.find("a.jpg")
        np.testing.assert_array_equal(first.part, part)
        np.testing.assert_array_equal(first.chart_uv, uv.permute(1, 2, 0))
        np.testing.assert_allclose(first.box_px, [2.5, 3.5, 6.6, 8.7], atol=1e-6)
        assert (first.score, second.score) == pytest.approx((0.9, 0.6))
        assert not np.array_equal(first.part, second.part)

    def test_all_kinds_of_results_say_the_same(self, tmp_path, charts):
        part, uv = labels(5, 4)
        packed = torch.cat([part[None].byte(), (uv * 255).clamp(0, 255).byte()])
        stream = io.BytesIO()
        Image.fromarray(packed.permute(1, 2, 0).numpy()).save(stream, format="png")
        text = base64.encodebytes(stream.getvalue()).decode()
        results = [
            charts.DensePoseChartResult(part, uv),
            charts.DensePoseChartResultQuantized(packed),
            charts.DensePoseChartResultCompressed((3, 5, 4), text),
        ]
        plain, quantized, packed_up = DensePoseDump(
            save(tmp_path, [record(results)], charts)
        ).find("a.jpg")
        np.testing.assert_array_equal(plain.part, quantized.part)
        assert np.abs(plain.chart_uv - quantized.chart_uv).max() <= 1 / 255
        np.testing.assert_array_equal(quantized.part, packed_up.part)
        np.testing.assert_array_equal(quantized.chart_uv, packed_up.chart_uv)

    def test_views_and_half_floats(self, tmp_path, charts):
        part, uv = labels(4, 5)
        strided = charts.DensePoseChartResult(part.T, uv.half().transpose(1, 2))
        (read,) = DensePoseDump(save(tmp_path, [record([strided])], charts)).find("a.jpg")
        np.testing.assert_array_equal(read.part, part.T)
        np.testing.assert_array_equal(read.chart_uv, uv.half().float().permute(2, 1, 0))

    def test_uv_is_clamped(self, tmp_path, charts):
        part, uv = labels(5, 4)
        result = charts.DensePoseChartResult(part, uv * 3 - 1)
        (read,) = DensePoseDump(save(tmp_path, [record([result])], charts)).find("a.jpg")
        assert read.chart_uv.min() == 0 and read.chart_uv.max() == 1

    def test_boxes_object(self, tmp_path, charts):
        content = record([charts.DensePoseChartResult(*labels(5, 4))])
        boxes = charts.Boxes()
        boxes.tensor = content["pred_boxes_XYXY"]
        content["pred_boxes_XYXY"] = boxes
        (read,) = DensePoseDump(save(tmp_path, [content], charts)).find("a.jpg")
        np.testing.assert_allclose(read.box_px, [2.5, 3.5, 6.6, 8.7], atol=1e-6)

    def test_picture_without_people(self, tmp_path):
        nobody = {
            "file_name": "a.jpg",
            "scores": torch.zeros(0),
            "pred_boxes_XYXY": torch.zeros(0, 4),
        }
        dump = DensePoseDump(
            save(tmp_path, [nobody, {**nobody, "file_name": "b.jpg", "pred_densepose": []}])
        )
        assert dump.find("a.jpg") == [] and dump.find("b.jpg") == []

    def test_pictures_of_one_name_are_told_apart_by_their_folders(self, tmp_path, charts):
        names = ["x/1/a.jpg", "x\\2\\a.jpg", "x/2/b.jpg"]
        content = [
            record([charts.DensePoseChartResult(*labels(5, 4, k))] * (k + 1), name)
            for k, name in enumerate(names)
        ]
        dump = DensePoseDump(save(tmp_path, content, charts))
        assert len(dump.find("/home/me/1/a.jpg")) == 1
        assert len(dump.find("/home/me/2/a.jpg")) == 2
        assert len(dump.find("b.jpg")) == 3
        with pytest.raises(ValueError, match=r"2 pictures in it are a\.jpg"):
            dump.find("/home/me/3/a.jpg")
        with pytest.raises(ValueError, match=r"no picture c\.jpg in it"):
            dump.find("c.jpg")


class ResultWithoutAttributes:
    def __reduce__(self):
        return (sys.modules["densepose.structures.chart_result"].DensePoseChartResult, ())


class Evil:
    def __reduce__(self):
        return (exec, ("raise SystemExit('foreign code ran')",))


def rewritten(path, change):
    """The zip with `change(name, content)` applied to its entries."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, change(name, content))
    return path


def is_large(name: str, content: bytes) -> bool:
    return "/data/" in name and len(content) > 16


class TestRefuse:
    def test_foreign_code(self, tmp_path):
        path = save(tmp_path, [{"file_name": "a.jpg", "pred_densepose": [Evil()]}])
        with pytest.raises(ValueError, match=r"wants (builtins|__builtin__)\.exec, .*refused"):
            DensePoseDump(path)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("torch.nn", torch.nn.Linear(1, 1)),
            ("collections.deque", __import__("collections").deque()),
        ],
    )
    def test_names_that_no_dump_needs(self, tmp_path, name, value):
        with pytest.raises(ValueError, match=f"wants {name}"):
            DensePoseDump(save(tmp_path, [{"file_name": "a", "x": value}]))

    def test_old_torch_format_and_plain_pickles(self, tmp_path):
        path = tmp_path / "old.pkl"
        torch.save([{"file_name": "a.jpg"}], path, _use_new_zipfile_serialization=False)
        with pytest.raises(ValueError, match=r"before version 1\.6"):
            DensePoseDump(path)
        path.write_bytes(pickle.dumps([{"file_name": "a.jpg"}]))
        with pytest.raises(ValueError, match="plain pickle"):
            DensePoseDump(path)

    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"text" * 50])
    def test_broken_files(self, tmp_path, content):
        path = tmp_path / "dump.pkl"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"dump\.pkl: "):
            DensePoseDump(path)

    def test_missing_file(self, tmp_path):
        with pytest.raises(ValueError, match="missing"):
            DensePoseDump(tmp_path / "missing.pkl")

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ({"file_name": "a"}, "holds dict, want a list"),
            ([1], "no file_name"),
            ([{"image": "a"}], "no file_name"),
            ([{"file_name": "a", "pred_densepose": torch.zeros(3)}], "is no list"),
        ],
    )
    def test_other_structures(self, tmp_path, content, message):
        with pytest.raises(ValueError, match=message):
            DensePoseDump(save(tmp_path, content))

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"scores": None}, "NoneType where a tensor belongs"),
            ({"scores": torch.zeros(3)}, "for 1 people"),
            ({"pred_boxes_XYXY": torch.full((1, 4), torch.nan)}, "not finite"),
            ({"pred_densepose": [torch.zeros(2)]}, "holds _Tensor"),
            ({"pred_densepose": [ResultWithoutAttributes()]}, "NoneType where a tensor"),
        ],
    )
    def test_malformed_records(self, tmp_path, charts, change, message):
        content = record([charts.DensePoseChartResult(*labels(5, 4))]) | change
        dump = DensePoseDump(save(tmp_path, [content], charts))
        with pytest.raises(ValueError, match=message):
            dump.find("a.jpg")

    @pytest.mark.parametrize(
        ("part", "uv", "message"),
        [
            (torch.full((5, 4), 25), torch.zeros(2, 5, 4), "25 to 25, want 0 to 24"),
            (torch.full((5, 4), -1), torch.zeros(2, 5, 4), "-1 to -1"),
            (torch.zeros(5, 4), torch.zeros(2, 5, 4), "labels are float32"),
            (torch.zeros(5, 4).long(), torch.zeros(2, 5, 3), "but uv"),
        ],
    )
    def test_impossible_labels(self, tmp_path, charts, part, uv, message):
        dump = DensePoseDump(
            save(tmp_path, [record([charts.DensePoseChartResult(part, uv)])], charts)
        )
        with pytest.raises(ValueError, match=message):
            dump.find("a.jpg")

    def test_compressed_result_of_another_size(self, tmp_path, charts):
        stream = io.BytesIO()
        Image.new("RGB", (4, 5)).save(stream, format="png")
        text = base64.encodebytes(stream.getvalue()).decode()
        for shape, code in (((3, 5, 5), text), ((3, 5, 4), "no png"), ((3, 5, 4), text[:40])):
            path = save(tmp_path, [record([charts.DensePoseChartResultCompressed(shape, code)])])
            with pytest.raises(ValueError, match="compressed result is damaged"):
                DensePoseDump(path).find("a.jpg")

    def test_tensor_larger_than_its_numbers(self, tmp_path):
        """A shape of many pixels over few numbers would cost memory out of nothing."""
        huge = torch.zeros(1).expand(100_000, 100_000)
        content = [{"file_name": "a", "pred_densepose": [huge]}]
        with pytest.raises(ValueError, match="leaves its 1 numbers"):
            DensePoseDump(save(tmp_path, content))

    def test_storage_of_another_length(self, tmp_path, charts):
        path = save(tmp_path, [record([charts.DensePoseChartResult(*labels(5, 4))])], charts)
        rewritten(path, lambda name, content: content[:-4] if "/data/" in name else content)
        with pytest.raises(ValueError, match="numbers take"):
            DensePoseDump(path).find("a.jpg")

    def test_storage_shorter_than_the_archive_claims(self, tmp_path, charts):
        """What lies behind the numbers in memory is not the file's."""
        path = save(tmp_path, [record([charts.DensePoseChartResult(*labels(5, 4))])], charts)
        rewritten(path, lambda name, content: content[:-8] if is_large(name, content) else content)
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if is_large(name, archive.read(name))]
        for name in names:
            rewrite_directory(path, name, size=8)
        with pytest.raises(ValueError, match=r"numbers take \d+ bytes, want \d+$"):
            DensePoseDump(path).find("a.jpg")

    @pytest.mark.parametrize("how", UNREADABLE)
    def test_unreadable_entries(self, tmp_path, charts, how):
        path = save(tmp_path, [record([charts.DensePoseChartResult(*labels(5, 4))])], charts)
        rewrite_directory(path, "/data/", **UNREADABLE[how])
        with pytest.raises(ValueError, match=r"dump\.pkl: a\.jpg: "):
            DensePoseDump(path).find("a.jpg")

    def test_compressed_result_of_too_many_pixels(self, tmp_path, charts, monkeypatch):
        stream = io.BytesIO()
        Image.new("RGB", (4, 5)).save(stream, format="png")
        text = base64.encodebytes(stream.getvalue()).decode()
        result = charts.DensePoseChartResultCompressed((3, 5, 4), text)
        path = save(tmp_path, [record([result])], charts)
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5)
        with pytest.raises(ValueError, match="compressed result is damaged"):
            DensePoseDump(path).find("a.jpg")

    def test_other_byte_order(self, tmp_path):
        path = save(tmp_path, [{"file_name": "a"}])
        rewritten(path, lambda name, content: b"big" if name.endswith("byteorder") else content)
        with pytest.raises(ValueError, match="big-endian"):
            DensePoseDump(path)


def test_people_of_a_dump_at_their_place(tmp_path, charts):
    part, uv = labels(5, 4)
    path = save(tmp_path, [record([charts.DensePoseChartResult(part, uv)])], charts)
    atlas = load_atlas(None)
    table = np.zeros((24, 2, 2, 2), np.float32)
    table[..., 0] = (np.arange(1, 25) / 25)[:, None, None]
    target = Target(atlas, UvTable(table, atlas.content_hash, atlas.name))
    source = open_source(path, target)
    (window,) = source.people(tmp_path / "a.jpg", np.zeros((12, 9, 3), np.uint8))
    assert window.score == pytest.approx(0.9)
    found = window.to_picture((9, 12)).uv[3:8, 2:6, 0] * 25
    np.testing.assert_allclose(found, part, atol=1e-4)
    with pytest.raises(ValueError, match="not in a picture of 4 x 4"):
        source.people(tmp_path / "a.jpg", np.zeros((4, 4, 3), np.uint8))
