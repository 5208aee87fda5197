"""Files that are not built as their readers expect: refused by name, or read all the same."""

import io
import json
import pickle
import zipfile

import numpy as np
import pytest

from damaged_zip import UNREADABLE, rewrite_directory, write_shape
from data.real import writers
from dimr.data.real.files import read_json, read_npz
from dimr.data.real.h36m import read_h36m
from dimr.data.real.human_data import read_human_data
from dimr.data.real.layout import open_dataset
from dimr.data.real.pw3d import read_pw3d
from dimr.data.real.record import Records, checked_floats


class TestNpz:
    @pytest.mark.parametrize("how", UNREADABLE)
    def test_unreadable_entries(self, tmp_path, how):
        np.savez(tmp_path / "a.npz", pose=np.arange(3.0))
        rewrite_directory(tmp_path / "a.npz", "pose", **UNREADABLE[how])
        with pytest.raises(ValueError, match=r"a\.npz: not a readable"):
            read_npz(tmp_path / "a.npz")

    @pytest.mark.parametrize("shape", [(10**12,), (10**30,)])
    def test_impossible_shapes(self, tmp_path, shape):
        write_shape(tmp_path / "a.npz", "pose", shape)
        with pytest.raises(ValueError, match=r"a\.npz: not a readable"):
            read_npz(tmp_path / "a.npz")


def test_json_with_an_endless_number(tmp_path):
    (tmp_path / "a.json").write_text(f"[{'9' * 5000}]")
    with pytest.raises(ValueError, match=r"a\.json: not a JSON file"):
        read_json(tmp_path / "a.json")


def change_json(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


class TestMalformedAnnotations:
    def check_refused(self, name, folder, message):
        with pytest.raises(ValueError, match=rf"{folder.name}: malformed \({message}"):
            open_dataset(name, folder)

    def test_picture_without_annotations(self, tmp_path, people):
        writers.write_ochuman(tmp_path, people)
        change_json(tmp_path / "ochuman.json", lambda each: each["images"][1].pop("annotations"))
        self.check_refused("ochuman", tmp_path, "lacks 'annotations'")

    def test_picture_without_id(self, tmp_path, people):
        writers.write_muco(tmp_path, people)
        change_json(tmp_path / "MuCo-3DHP.json", lambda each: each["images"][1].pop("id"))
        self.check_refused("muco", tmp_path, "lacks 'id'")

    @pytest.mark.parametrize(
        "value", [5, {"id": 5}, {"id": [], "image_id": 1, "segmentation": []}]
    )
    def test_masks_of_another_kind(self, tmp_path, people, value):
        writers.write_eft(tmp_path, people)
        masks = tmp_path / "instances_train2014.json"
        change_json(masks, lambda each: each["annotations"].append(value))
        self.check_refused("eft", tmp_path, "")

    def test_mask_of_more_columns_than_the_format_has(self, tmp_path):
        np.savez(
            tmp_path / "x.npz",
            image_path=["a.jpg"],
            bbox_xywh=np.ones((1, 5)),
            keypoints2d=np.ones((1, 190, 3)),
            keypoints2d_mask=np.ones(191),
        )
        self.check_refused("human_data", tmp_path, "index 190")

    @pytest.mark.parametrize("key, value", [("poses", 5), ("poses", [5]), ("betas", None)])
    def test_a_sequence_does_not_cost_the_others(self, tmp_path, people, open_body, key, value):
        writers.write_pw3d(tmp_path, [people[:1]], open_body)
        writers.write_pw3d(tmp_path, [people[:1]], open_body, "odd_00")
        odd = tmp_path / "sequenceFiles/test/odd_00.pkl"
        odd.write_bytes(pickle.dumps(pickle.loads(odd.read_bytes()) | {key: value}, protocol=2))
        records = read_pw3d(tmp_path)
        assert len(records) == records.num_skipped == 1
        assert "odd_00.pkl: malformed" in records.skipped[0].reason

    @pytest.mark.parametrize("error", [AttributeError("a"), OverflowError("b")])
    def test_a_record_does_not_cost_the_others(self, error):
        def make(index):
            raise error

        assert Records("spin", 2, make).num_skipped == 2


@pytest.mark.parametrize("values", [[10**400, 1], [1e300, 1]])
def test_numbers_beyond_all_numbers_are_refused(values):
    with pytest.raises(ValueError, match="a: "):
        checked_floats("a", values, (2,))


class TestNamesInBytes:
    def test_mosh_fits_are_found(self, tmp_path, people):
        path = tmp_path / "h36m_train.npz"
        writers.write_spin(path, people, pose=None, shape=None)
        names = np.load(path)["imgname"].astype(bytes)
        writers.write_spin(path, people, pose=None, shape=None, imgname=names)
        writers.write_mosh(tmp_path / "mosh", people)
        records = read_h36m(path, tmp_path / "images", tmp_path / "mosh")
        assert len(records) == 3 and all(each.theta_rad is not None for each in records)

    def test_human_data(self, tmp_path, people):
        writers.write_human_data(tmp_path / "x.npz", people)
        with zipfile.ZipFile(tmp_path / "x.npz") as archive:
            entries = {name: archive.read(name) for name in archive.namelist()}
        names = io.BytesIO()
        np.save(names, np.array([b"a/0.jpg", b"a/1.jpg", b"a/2.jpg"]))
        with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
            for name, content in (entries | {"image_path.npy": names.getvalue()}).items():
                archive.writestr(name, content)
        records = read_human_data(tmp_path / "x.npz", tmp_path)
        assert [each.picture for each in records] == [tmp_path / f"a/{k}.jpg" for k in range(3)]
