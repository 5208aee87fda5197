import functools
import subprocess
import sys

import pytest

from dimr.body.model import BodyModel
from dimr.data.synthetic import published
from dimr.data.synthetic.pose_bank import PoseBank
from dimr.data.synthetic.synthocc import (
    NUM_CROPS,
    NUM_SCENES,
    SUBSETS,
    SynthOcc,
    content_hash,
    flat_arrays,
)
from dimr.data.synthetic.wardrobe import Wardrobe
from dimr.surface.atlas import load_atlas

BODY, ATLAS = BodyModel.load(), load_atlas()


@functools.cache
def benchmark(split: str = "test") -> SynthOcc:
    return SynthOcc(BODY, ATLAS, split)


class TestSubsets:
    @pytest.mark.parametrize("name", SUBSETS)
    def test_samples_are_as_hidden_as_the_subset_says(self, name):
        about = SUBSETS[name]
        for number in (0, 7):
            sample = benchmark().crop(name, number)
            assert about.hidden[0] <= 1 - sample.visible_share <= about.hidden[1]
            inside = sample.occlusion.in_picture_share
            assert about.in_picture[0] <= inside < about.in_picture[1]

    def test_numbers_of_streams_are_distinct(self):
        assert len({subset.number for subset in SUBSETS.values()}) == len(SUBSETS)

    def test_hidden_people_are_hidden_by_people(self):
        code = benchmark().crop("person", 3).occlusion.hidden_by
        assert ((code > 0) & (code < 64)).any() and (code >= 64).sum() == 0

    def test_scene_has_one_to_eight_people(self):
        counts = [len(benchmark().scene(number).people.visible_share) for number in range(6)]
        assert min(counts) >= 1 and max(counts) <= 8


class TestDeterminism:
    def test_published_samples_are_the_same_here(self):
        verdicts = published.compare(published.read_record(), published.make_record())
        assert set(verdicts.values()) <= {"same", "close"}, verdicts

    def test_order_and_other_subsets_do_not_matter(self):
        first = content_hash(benchmark().crop("hug", 4))
        other = SynthOcc(BODY, ATLAS)
        other.scene(0), other.crop("clean", 4)
        assert content_hash(other.crop("hug", 4)) == first

    @pytest.mark.parametrize("threads", ["1", "4"])
    def test_thread_counts_do_not_matter(self, threads):
        code = (
            f"import cv2; cv2.setNumThreads({threads})\n"
            "from dimr.body.model import BodyModel\n"
            "from dimr.data.synthetic.synthocc import SynthOcc, content_hash\n"
            "from dimr.surface.atlas import load_atlas\n"
            "made = SynthOcc(BodyModel.load(), load_atlas())\n"
            "print(content_hash(made.crop('object', 2)), content_hash(made.scene(2)))\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"NUMBA_NUM_THREADS": threads, "OMP_NUM_THREADS": threads},
        )
        wanted = [content_hash(benchmark().crop("object", 2)), content_hash(benchmark().scene(2))]
        assert done.stdout.split() == wanted

    def test_any_change_changes_the_hash(self):
        sample = benchmark().crop("clean", 0)
        image = sample.image.copy()
        image[0, 0, 0] ^= 1
        assert content_hash(sample._replace(image=image)) != content_hash(sample)


class TestComparison:
    record = published.read_record()

    def changed(self, **changes):
        name = next(iter(self.record["samples"]))
        fresh = {**self.record, "samples": dict(self.record["samples"])}
        fresh["samples"][name] = {**fresh["samples"][name], "sha256": "0", **changes}
        return name, fresh

    def test_other_bytes_with_the_same_libraries_are_an_error(self):
        name, fresh = self.changed()
        assert "same libraries" in published.compare(self.record, fresh)[name]

    def test_other_libraries_may_round_differently(self):
        name, fresh = self.changed()
        fresh["drawn_with"] = {"numpy": "0"}
        assert published.compare(self.record, fresh)[name] == "close"

    def test_other_libraries_may_not_draw_another_picture(self):
        name, fresh = self.changed(person_pixels=0)
        fresh["drawn_with"] = {"numpy": "0"}
        assert "differs" in published.compare(self.record, fresh)[name]


class TestSplits:
    def test_samples_of_splits_differ(self):
        assert content_hash(benchmark("val").crop("clean", 0)) != content_hash(
            benchmark().crop("clean", 0)
        )

    def test_motion_clips_are_disjoint(self):
        clips = [set(PoseBank.load(split).clip_names) for split in ("train", "val", "test")]
        assert all(clips) and len(set.union(*clips)) == sum(map(len, clips))

    def test_garments_are_disjoint(self):
        names = [
            {garment.name for garment in Wardrobe.load(split).garments}
            for split in ("train", "val", "test")
        ]
        assert all(names) and len(set.union(*names)) == sum(map(len, names))


class TestRefusals:
    def test_unknown_subset(self):
        with pytest.raises(ValueError, match=r"subset: got 'occluded', want one of clean"):
            benchmark().crop("occluded", 0)

    @pytest.mark.parametrize("number", [-1, NUM_CROPS])
    def test_number(self, number):
        with pytest.raises(ValueError, match="number"):
            benchmark().crop("clean", number)

    def test_scene_number(self):
        with pytest.raises(ValueError, match="number"):
            benchmark().scene(NUM_SCENES)

    def test_photos_without_the_split(self, tmp_path):
        with pytest.raises(ValueError, match="photos"):
            SynthOcc(BODY, ATLAS, "test", tmp_path)


def test_flat_arrays_name_nested_ones():
    arrays = flat_arrays(benchmark().crop("clean", 0))
    assert {"image", "labels_uv", "occlusion_hidden_by", "people_box_px"} <= set(arrays)
