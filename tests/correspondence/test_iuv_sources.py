import cv2
import numpy as np
import pytest
import torch

from dimr.correspondence.iuv_pictures import Reading
from dimr.correspondence.iuv_sources import (
    DumpSource,
    FileSource,
    FolderSource,
    ModelSource,
    Target,
    open_source,
)
from dimr.correspondence.iuv_window import IuvWindow, windows_bytes
from dimr.surface.atlas import Atlas, load_atlas
from dimr.surface.layouts import shuffled_atlas
from dimr.surface.uv_table import UvTable
from dimr.types import Iuv

PIXELS = np.zeros((20, 30, 3), np.uint8)


@pytest.fixture(scope="module")
def atlas() -> Atlas:
    return load_atlas(None)


@pytest.fixture
def charts(atlas) -> UvTable:
    """Part p at (U, V) goes to (p / 25, U)."""
    uv = np.empty((24, 256, 256, 2), np.float32)
    uv[..., 0] = (np.arange(1, 25, dtype=np.float32) / 25)[:, None, None]
    uv[..., 1] = np.linspace(0, 1, 256, dtype=np.float32)
    return UvTable(uv, atlas.content_hash, atlas.name)


@pytest.fixture
def mirror(atlas) -> UvTable:
    """A global map that is the atlas's upside down."""
    grid = np.linspace(0, 1, 512, dtype=np.float32)
    u, v = np.meshgrid(grid, 1 - grid)
    return UvTable(np.stack([u, v], -1)[None], atlas.content_hash, atlas.name)


def densepose_picture(path):
    """Parts 1..20 in the columns, U grows with the row."""
    part = np.tile(np.arange(30) % 21, (20, 1))
    u = np.where(part > 0, np.arange(20)[:, None] * 12 + 5, 0)
    v = np.where(part > 0, 77, 0)
    cv2.imwrite(str(path), np.stack([v, u, part], -1).astype(np.uint8))  # R = I
    return path, part, u


class TestFile:
    def test_densepose_picture_through_the_table(self, tmp_path, atlas, charts):
        path, part, u = densepose_picture(tmp_path / "a.png")
        source = open_source(path, Target(atlas, charts))
        assert isinstance(source, FileSource) and source.of_one_picture
        (window,) = source.people(tmp_path / "photo.jpg", PIXELS)
        iuv = window.to_picture((30, 20))
        np.testing.assert_array_equal(iuv.mask, part > 0)
        np.testing.assert_allclose(iuv.uv[..., 0], np.where(part > 0, part / 25, 0), atol=1e-6)
        np.testing.assert_allclose(iuv.uv[..., 1], u / 255, atol=1e-6)
        assert "densepose" in source.read_as

    def test_densepose_picture_without_a_table_says_what_is_needed(self, tmp_path, atlas, mirror):
        path, _, _ = densepose_picture(tmp_path / "a.png")
        for table in (None, mirror):
            with pytest.raises(ValueError, match=r"a\.png: .*dimr iuv table UV_Processed\.mat"):
                open_source(path, Target(atlas, table))

    def test_mask_picture_is_on_the_atlas_or_the_tables_map(self, tmp_path, atlas, charts, mirror):
        draw = np.random.default_rng(0)
        mask = draw.random((20, 30)) < 0.6
        bytes_ = np.where(mask[..., None], draw.integers(1, 255, (20, 30, 2)), 0)
        stacked = np.concatenate([mask[..., None], bytes_], 2).astype(np.uint8)
        cv2.imwrite(str(tmp_path / "a.png"), stacked)
        uv = (bytes_ / 255).astype(np.float32)
        for table, expected in (
            (None, uv),
            (charts, uv),
            (mirror, np.where(mask[..., None], uv * [1, -1] + [0, 1], 0)),
        ):
            (window,) = open_source(tmp_path / "a.png", Target(atlas, table)).windows
            found = window.to_picture((30, 20))
            np.testing.assert_array_equal(found.mask, mask)
            np.testing.assert_allclose(found.uv, expected, atol=0.51 / 511)

    def test_reading_reaches_the_picture(self, tmp_path, atlas, charts):
        path, _, _ = densepose_picture(tmp_path / "a.png")
        target = Target(atlas, charts, Reading("uiv"))
        with pytest.raises(ValueError, match="when read as uiv"):
            open_source(path, target)

    def test_own_file_of_another_atlas_is_refused(self, tmp_path, atlas):
        iuv = Iuv(np.ones((3, 3), bool), np.zeros((3, 3, 2), np.float32))
        content = windows_bytes([IuvWindow(iuv)], (3, 3), atlas)
        (tmp_path / "a.npz").write_bytes(content)
        assert "open" in open_source(tmp_path / "a.npz", Target(atlas)).read_as
        with pytest.raises(ValueError, match="is on another atlas than"):
            open_source(tmp_path / "a.npz", Target(shuffled_atlas(atlas, 1)))

    def test_picture_of_another_size_is_refused(self, tmp_path, atlas, charts):
        path, _, _ = densepose_picture(tmp_path / "a.png")
        source = open_source(path, Target(atlas, charts))
        with pytest.raises(ValueError, match="is 30 x 20 pixels, want 31 x 20"):
            source.people(tmp_path / "photo.jpg", np.zeros((20, 31, 3), np.uint8))

    @pytest.mark.parametrize("name", ["missing.npz", "missing.png", "missing.pkl", "missing"])
    def test_missing_file_is_refused(self, tmp_path, atlas, name):
        with pytest.raises(ValueError, match="no file"):
            open_source(tmp_path / name, Target(atlas))

    def test_other_files_are_refused(self, tmp_path, atlas):
        (tmp_path / "a.txt").write_text("hello")
        with pytest.raises(ValueError, match=r"a\.txt: IUVs are read from"):
            open_source(tmp_path / "a.txt", Target(atlas))


class TestFolder:
    def test_files_are_found_by_the_pictures_name(self, tmp_path, atlas, charts):
        for name in ("a_iuv.png", "b_person1.png", "b_person2.png", "a2.png", "b_x.png"):
            densepose_picture(tmp_path / name)
        source = open_source(tmp_path, Target(atlas, charts))
        assert isinstance(source, FolderSource) and not source.of_one_picture
        assert len(source.people(tmp_path / "x" / "a.jpg", PIXELS)) == 1
        assert len(source.people(tmp_path / "b.jpg", PIXELS)) == 2
        with pytest.raises(ValueError, match=r"no file c\.npz"):
            source.people(tmp_path / "c.jpg", PIXELS)

    def test_people_come_in_the_order_of_their_numbers(self, tmp_path, atlas, charts):
        for number in (10, 2, 1):
            densepose_picture(tmp_path / f"a_person{number}.png")
        source = open_source(tmp_path, Target(atlas, charts))
        assert isinstance(source, FolderSource)
        files = source._named(tmp_path, tmp_path / "x" / "a.jpg")
        assert [file.stem for file in files] == ["a_person1", "a_person2", "a_person10"]

    def test_pictures_of_one_name_have_folders_of_their_own(self, tmp_path, atlas, charts):
        iuvs = tmp_path / "iuvs"
        for folder in ("x", "y"):
            (iuvs / folder).mkdir(parents=True)
        densepose_picture(iuvs / "x" / "a.png")
        densepose_picture(iuvs / "y" / "a_person1.png")
        densepose_picture(iuvs / "y" / "a_person2.png")
        source = open_source(iuvs, Target(atlas, charts))
        assert len(source.people(tmp_path / "pictures/x/a.jpg", PIXELS)) == 1
        assert len(source.people(tmp_path / "pictures/y/a.jpg", PIXELS)) == 2
        with pytest.raises(ValueError, match=r"no file a\.npz"):
            source.people(tmp_path / "pictures/z/a.jpg", PIXELS)

    def test_the_picture_itself_is_no_iuv(self, tmp_path, atlas, charts):
        (tmp_path / "pictures").mkdir()
        for name in ("a.png", "a_iuv.png", "pictures/b.png", "b_iuv.png"):
            densepose_picture(tmp_path / name)
        source = open_source(tmp_path, Target(atlas, charts))
        for picture in ("a.png", "pictures/b.png"):
            assert len(source.people(tmp_path / picture, PIXELS)) == 1

    def test_a_file_is_of_one_folders_picture(self, tmp_path, atlas, charts):
        densepose_picture(tmp_path / "a.png")
        source = open_source(tmp_path, Target(atlas, charts))
        for _ in range(2):
            assert len(source.people(tmp_path / "x/a.jpg", PIXELS)) == 1
        with pytest.raises(ValueError, match=r"a\.png: was taken for the picture in \S+/x alread"):
            source.people(tmp_path / "y/a.jpg", PIXELS)

    @pytest.mark.parametrize(
        "names", [("a", "a_iuv"), ("a", "a_person1"), ("a_person1", "a_iuv_person01")]
    )
    def test_files_that_may_show_the_same_person_are_refused(self, tmp_path, atlas, charts, names):
        for name in names:
            densepose_picture(tmp_path / f"{name}.png")
        source = open_source(tmp_path, Target(atlas, charts))
        with pytest.raises(ValueError, match="may show the same person"):
            source.people(tmp_path / "a.jpg", PIXELS)

    def test_empty_folder_is_refused(self, tmp_path, atlas):
        with pytest.raises(ValueError, match="no file of"):
            open_source(tmp_path, Target(atlas))


class TestDump:
    def test_nobody(self, tmp_path, atlas):
        record = {"file_name": "a.jpg", "scores": torch.zeros(0), "pred_densepose": []}
        torch.save([record], tmp_path / "dump.pkl")
        source = open_source(tmp_path / "dump.pkl", Target(atlas))
        assert isinstance(source, DumpSource) and not source.of_one_picture
        assert source.people(tmp_path / "a.jpg", PIXELS) == []


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
class TestModel:
    class Stub(torch.nn.Module):
        """Two people, the second unsure."""

        def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
            maps = torch.zeros(2, 25, 8, 8)
            maps[:, 3] = 1.0
            return {
                "pred_boxes": torch.tensor([[2.0, 3.0, 12.0, 13.0], [0.0, 0.0, 9.0, 9.0]]),
                "scores": torch.tensor([0.9, 0.3]),
                "pred_densepose_coarse_segm": maps[:, 2:4],
                "pred_densepose_fine_segm": maps,
                "pred_densepose_u": maps * 0.6,
                "pred_densepose_v": maps * 0.2,
            }

    def test_people_of_a_picture(self, tmp_path, atlas, charts):
        torch.jit.script(self.Stub()).save(str(tmp_path / "m.pt"))
        source = open_source(tmp_path / "m.pt", Target(atlas, charts))
        assert isinstance(source, ModelSource) and not source.of_one_picture
        (window,) = source.people(tmp_path / "a.jpg", PIXELS)
        iuv = window.to_picture((30, 20))
        expected = np.zeros((20, 30), bool)
        expected[3:13, 2:12] = True
        np.testing.assert_array_equal(iuv.mask, expected)
        np.testing.assert_allclose(iuv.uv[expected], [(3 / 25, 0.6)] * 100, atol=1e-6)
        everybody = open_source(tmp_path / "m.pt", Target(atlas, charts, min_score=0.1))
        assert len(everybody.people(tmp_path / "a.jpg", PIXELS)) == 2

    def test_needs_a_table(self, tmp_path, atlas):
        torch.jit.script(self.Stub()).save(str(tmp_path / "m.pt"))
        source = open_source(tmp_path / "m.pt", Target(atlas))
        with pytest.raises(ValueError, match=r"a\.jpg: .*dimr iuv table"):
            source.people(tmp_path / "a.jpg", PIXELS)
