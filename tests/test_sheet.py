import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dimr import sheet
from dimr.draw import CAPTION_HEIGHT, GAP, PAPER_RGB
from dimr.sheet import CELL_PX, SHEET_WIDTH, Sheet, check_sheet, is_sheet
from dimr.types import Prediction
from test_draw import HEIGHT, WIDTH, standing

ROW_PX = CAPTION_HEIGHT + CELL_PX[0] * HEIGHT // WIDTH


def decode(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == "JPEG"
        return np.asarray(image).astype(int)


def inked(pixels: np.ndarray) -> bool:
    """Whether anything is drawn on the paper (JPEG changes it by a few levels)."""
    return bool((np.abs(pixels - PAPER_RGB) > 40).any())


def cells(row: np.ndarray) -> list[np.ndarray]:
    step = CELL_PX[0] + GAP
    return [row[CAPTION_HEIGHT + 8 :, GAP + k * step : k * step + step] for k in range(5)]


def reddish(pixels: np.ndarray) -> int:
    return int((pixels[..., 0] > pixels[..., 1] + 80).sum())


@pytest.fixture
def green() -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), (40, 160, 60), np.uint8)


class TestSheet:
    def test_panels_stand_in_columns_under_their_captions(self, open_body, green):
        pages = Sheet(open_body.faces.numpy())
        pages.add("me.jpg", (green, Prediction((WIDTH, HEIGHT), [standing(open_body, (0, 0, 6))])))
        page = decode(pages.to_jpeg())
        assert page.shape == (CAPTION_HEIGHT + ROW_PX, SHEET_WIDTH, 3)
        assert all(inked(cell) for cell in cells(page[CAPTION_HEIGHT:]))
        photo, _, mesh, *whole = cells(page[CAPTION_HEIGHT:])
        assert np.abs(photo[60:, 5:40] - (40, 160, 60)).max() < 20
        assert np.abs(mesh[:, 5:40] - (40, 160, 60)).max() < 20
        for view in whole:  # on paper
            assert np.abs(view[:, 5:40] - PAPER_RGB).max() < 20

    def test_nobody_and_broken_pictures_have_rows_that_say_so(self, open_body, green):
        pages = Sheet(open_body.faces.numpy())
        pages.add("empty.jpg", (green, Prediction((WIDTH, HEIGHT))), "no person found")
        pages.add("broken.jpg", None, "not a picture")
        pages.add("fine.jpg", (green, Prediction((WIDTH, HEIGHT))))
        page = decode(pages.to_jpeg())
        assert page.shape[0] == 2 * CAPTION_HEIGHT + 2 * ROW_PX
        empty, broken = page[CAPTION_HEIGHT:][:ROW_PX], page[CAPTION_HEIGHT + ROW_PX :]
        photo, *others = cells(empty)
        assert inked(photo) and not any(inked(other) for other in others)
        assert reddish(empty[:CAPTION_HEIGHT]) > 20
        assert reddish(broken[:CAPTION_HEIGHT]) > 20
        fine = broken[CAPTION_HEIGHT:]
        assert inked(fine[:CAPTION_HEIGHT]) and reddish(fine[:CAPTION_HEIGHT]) == 0

    def test_many_pictures_are_summed_up(self, open_body, monkeypatch):
        heights = []
        for number in (2, 3, 30):
            monkeypatch.setattr(sheet, "MAX_ROWS", 2)
            pages = Sheet(open_body.faces.numpy())
            for k in range(number):
                pages.add(f"{k}.jpg", None, "is empty")
            assert pages.num_more == max(0, number - 2)
            heights.append(decode(pages.to_jpeg()).shape[0])
        assert heights == [3 * CAPTION_HEIGHT, 4 * CAPTION_HEIGHT, 4 * CAPTION_HEIGHT]

    def test_file_is_bounded(self, open_body, monkeypatch):
        """Noise cannot be packed: the sheet must shrink."""
        noise = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3)).astype(np.uint8)
        pages = Sheet(open_body.faces.numpy())
        pages.add("noise.png", (noise, Prediction((WIDTH, HEIGHT))))
        assert len(pages.to_jpeg()) > 20_000
        monkeypatch.setattr(sheet, "MAX_BYTES", 20_000)
        content = pages.to_jpeg()
        assert len(content) <= 20_000
        assert decode(content).shape[1] < SHEET_WIDTH

    @pytest.mark.parametrize("size", [(16, 2000), (2000, 16), (16, 16)])
    def test_pictures_of_any_shape_fit(self, open_body, size):
        pages = Sheet(open_body.faces.numpy())
        pages.add("odd.png", (np.zeros((*size, 3), np.uint8), Prediction(size[::-1])))
        height = decode(pages.to_jpeg()).shape[0]
        assert 2 * CAPTION_HEIGHT < height <= 2 * CAPTION_HEIGHT + CELL_PX[1]


class TestCheck:
    def test_a_sheet_is_known_and_may_be_replaced(self, open_body, tmp_path):
        path = tmp_path / "sheet.jpg"
        path.write_bytes(Sheet(open_body.faces.numpy()).to_jpeg())
        assert is_sheet(path)
        check_sheet(path, [])

    @pytest.mark.parametrize("content", [b"", b"text", b"\xff\xd8\xff\xfe\x00", None])
    def test_other_files_stay(self, tmp_path, content):
        path = tmp_path / "mine.jpg"
        if content is None:
            Image.new("RGB", (20, 20)).save(path, comment=b"mine")
        else:
            path.write_bytes(content)
        with pytest.raises(ValueError, match=r"--sheet: .*not made by dimr"):
            check_sheet(path, [])
        check_sheet(path, [], overwrite=True)

    def test_a_picture_is_never_replaced(self, open_body, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        path = tmp_path / "sheet.jpg"
        path.write_bytes(Sheet(open_body.faces.numpy()).to_jpeg())
        with pytest.raises(ValueError, match="one of the pictures"):
            check_sheet(path, [Path("sheet.jpg")], overwrite=True)

    @pytest.mark.parametrize("name", ["sheet.png", "sheet", "folder.jpg"])
    def test_places_that_cannot_be(self, tmp_path, name):
        (tmp_path / "folder.jpg").mkdir()
        with pytest.raises(ValueError, match="--sheet"):
            check_sheet(tmp_path / name, [], overwrite=True)
