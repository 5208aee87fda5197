import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from data.real.writers import write_voc
from dimr.data.occlusion import OcclusionSettings, load_voc_objects, occlude


class TestLoadVocObjects:
    def test_cuts_out_what_may_be_used(self, tmp_path):
        write_voc(tmp_path)
        objects, broken = load_voc_objects(tmp_path)
        assert broken == 0
        # a person, a truncated and a difficult thing, and a small one are left
        assert len(objects) == 1
        (cutout,) = objects
        assert cutout.shape == (20, 30, 4)  # 40 x 60, shrunk by two
        assert cutout[10, 15].tolist() == [10, 200, 30, 255]
        # nothing around the object, a soft border, a solid inside
        assert cutout[0, 15, 3] == 0 and cutout[1, 15, 3] == 192
        assert set(np.unique(cutout[7:-7, 7:-7, 3])) == {255}

    def test_one_broken_picture_is_counted(self, tmp_path):
        write_voc(tmp_path)
        write_voc(tmp_path, name="2008_000002")
        (tmp_path / "JPEGImages/2008_000002.jpg").write_bytes(b"rubbish")
        objects, broken = load_voc_objects(tmp_path)
        assert (len(objects), broken) == (1, 1)

    @pytest.mark.parametrize("side", [60, 400])
    def test_a_segmentation_of_another_size_is_counted_undecoded(
        self, tmp_path, monkeypatch, side
    ):
        """The larger one has more pixels than Pillow opens here."""
        write_voc(tmp_path)
        write_voc(tmp_path, name="2008_000002")
        other = Image.new("P", (side, side))
        other.save(tmp_path / "SegmentationObject/2008_000002.png")
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20_000)
        decoded = []
        load = PngImageFile.load
        monkeypatch.setattr(PngImageFile, "load", lambda self: decoded.append(1) or load(self))
        objects, broken = load_voc_objects(tmp_path)
        assert (len(objects), broken, len(decoded)) == (1, 1, 1)

    def test_a_box_beyond_all_numbers_is_counted(self, tmp_path):
        write_voc(tmp_path)
        write_voc(tmp_path, name="2008_000002")
        path = tmp_path / "Annotations/2008_000002.xml"
        path.write_text(path.read_text().replace("<xmax>110", "<xmax>1e999"))
        objects, broken = load_voc_objects(tmp_path)
        assert (len(objects), broken) == (1, 1)

    def test_entities_are_refused(self, tmp_path):
        write_voc(tmp_path)
        path = next((tmp_path / "Annotations").glob("*.xml"))
        path.write_text('<!DOCTYPE a [<!ENTITY b "c">]>' + path.read_text())
        with pytest.raises(ValueError, match="no object"):
            load_voc_objects(tmp_path)

    def test_names_what_is_wanted(self, tmp_path):
        with pytest.raises(ValueError, match="want VOC2012's folder"):
            load_voc_objects(tmp_path)


class TestOcclude:
    def a_square(self, alpha=255):
        cutout = np.full((32, 32, 4), 200, np.uint8)
        cutout[..., 3] = alpha
        return [cutout]

    def test_hidden_is_what_changed(self):
        picture = np.zeros((64, 64, 3), np.uint8)
        for seed in range(5):
            rng = np.random.default_rng(seed)
            pasted, hidden = occlude(picture, self.a_square(), rng)
            assert hidden.any() and np.array_equal(hidden, (pasted > 0).any(2))
        assert not picture.any()

    def test_translucent_pixels_are_blended_and_hidden(self):
        settings = OcclusionSettings(count=(1, 1), scale=(4.0, 4.0), spread=0.0)
        picture = np.full((64, 64, 3), 100, np.uint8)
        rng = np.random.default_rng(0)
        pasted, hidden = occlude(picture, self.a_square(102), rng, settings)
        assert hidden[32, 32] and pasted[32, 32].tolist() == [140, 140, 140]

    def test_centres_keep_to_the_middle(self):
        settings = OcclusionSettings(count=(1, 1), scale=(0.2, 0.2), spread=0.25)
        picture = np.zeros((256, 256, 3), np.uint8)
        for seed in range(50):
            _, hidden = occlude(picture, self.a_square(), np.random.default_rng(seed), settings)
            rows, cols = np.nonzero(hidden)
            assert np.abs(np.array([rows.mean(), cols.mean()]) - 127.5).max() < 0.125 * 256 + 4

    def test_count(self):
        settings = OcclusionSettings(count=(0, 0))
        picture = np.full((16, 16, 3), 9, np.uint8)
        pasted, hidden = occlude(picture, self.a_square(), np.random.default_rng(0), settings)
        assert np.array_equal(pasted, picture) and not hidden.any()

    @pytest.mark.parametrize(
        "wrong", [{"count": (3, 1)}, {"scale": (0.0, 1.0)}, {"spread": 1.5}], ids=str
    )
    def test_refuses_nonsense(self, wrong):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            OcclusionSettings(**wrong)
