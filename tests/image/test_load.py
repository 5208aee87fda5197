import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngImageFile

from dimr.image import load
from dimr.image.load import (
    PictureError,
    check_array,
    list_pictures,
    load_picture,
    read_focal_px,
    reduce_to_8_bits,
)


@pytest.fixture
def photo() -> np.ndarray:
    """Smooth, coloured and without any symmetry."""
    rows, columns = np.mgrid[0:40, 0:60]
    return np.stack([4 * columns, 6 * rows, 2 * rows + columns], axis=-1).astype(np.uint8)


def refusal(path: Path, **arguments) -> str:
    with pytest.raises(PictureError) as caught:
        load_picture(path, **arguments)
    message = str(caught.value)
    assert message.startswith(str(path)) and "\n" not in message
    return message.removeprefix(f"{path}: ")


def png_chunk(kind: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises any number of 8-bit RGB pixels and holds none."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", b"")


class TestFormats:
    @pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".ppm"])
    def test_lossless_rgb_is_exact(self, tmp_path, photo, suffix):
        path = tmp_path / f"photo{suffix}"
        Image.fromarray(photo).save(path)
        picture = load_picture(path)
        assert picture.dtype == np.uint8 and picture.flags.writeable
        assert np.array_equal(picture, photo)

    @pytest.mark.parametrize("suffix", [".jpg", ".webp"])
    def test_lossy_rgb_is_close(self, tmp_path, photo, suffix):
        path = tmp_path / f"photo{suffix}"
        Image.fromarray(photo).save(path, quality=95)
        assert np.abs(load_picture(path).astype(int) - photo).mean() < 4

    def test_the_content_decides_not_the_suffix(self, tmp_path, photo):
        path = tmp_path / "photo.jpg"
        Image.fromarray(photo).save(path, format="PNG")
        assert np.array_equal(load_picture(str(path)), photo)

    def test_grey(self, tmp_path, photo):
        path = tmp_path / "grey.png"
        Image.fromarray(photo[..., 0]).save(path)
        assert np.array_equal(load_picture(path), np.repeat(photo[..., :1], 3, axis=2))

    def test_black_and_white(self, tmp_path, photo):
        path = tmp_path / "bits.png"
        Image.fromarray(photo[..., 0] > 100).save(path)
        assert np.array_equal(load_picture(path)[..., 1] == 255, photo[..., 0] > 100)

    @pytest.mark.parametrize("suffix", [".png", ".tif"])
    def test_16_bit_grey_is_scaled_not_clipped(self, tmp_path, photo, suffix):
        path = tmp_path / f"deep{suffix}"
        Image.fromarray(photo[..., 0].astype(np.uint16) * 257).save(path)
        assert np.array_equal(load_picture(path)[..., 2], photo[..., 0])

    def test_32_bit_integers_are_refused(self, tmp_path):
        path = tmp_path / "wide.tif"
        Image.fromarray(np.full((20, 20), 70_000, np.int32)).save(path)
        assert refusal(path) == "grey values reach from 70000 to 70000, want 16 bits"

    def test_floating_point_is_refused(self, tmp_path):
        path = tmp_path / "float.tif"
        Image.fromarray(np.zeros((20, 20), np.float32)).save(path)
        assert "pixel format 'F'" in refusal(path)

    def test_palette(self, tmp_path, photo):
        path = tmp_path / "palette.gif"
        flat = np.zeros_like(photo)
        flat[:, 30:] = (200, 100, 50)
        Image.fromarray(flat).quantize(4).save(path)
        assert np.abs(load_picture(path).astype(int) - flat).max() <= 2

    @pytest.mark.parametrize("suffix", [".jpg", ".tif"])
    def test_cmyk(self, tmp_path, suffix):
        path = tmp_path / f"print{suffix}"
        Image.new("CMYK", (20, 20), (0, 255, 255, 0)).save(path)  # full magenta and yellow: red
        red, green, blue = load_picture(path)[10, 10]
        assert red > 230 and green < 25 and blue < 25

    def test_transparent_parts_lie_on_white(self, tmp_path, photo):
        alpha = np.zeros(photo.shape[:2], np.uint8)
        alpha[:, :20] = 255
        alpha[:, 20:40] = 128
        path = tmp_path / "cut.png"
        Image.fromarray(np.dstack([photo, alpha])).save(path)
        picture = load_picture(path).astype(int)
        assert np.array_equal(picture[:, :20], photo[:, :20])
        half = photo[:, 20:40] * (128 / 255) + 255 * (127 / 255)
        assert np.abs(picture[:, 20:40] - half).max() <= 1
        assert (picture[:, 40:] == 255).all()

    def test_transparent_palette_colour_becomes_white(self, tmp_path):
        path = tmp_path / "cut.gif"
        image = Image.new("P", (20, 20), 0)
        image.putpalette([0, 0, 0, 255, 0, 0])
        image.paste(1, (0, 0, 10, 20))
        image.save(path, transparency=0)
        picture = load_picture(path)
        assert picture[5, 5].tolist() == [255, 0, 0]
        assert picture[5, 15].tolist() == [255, 255, 255]

    @pytest.mark.parametrize("suffix", [".gif", ".png", ".webp", ".tif"])
    def test_animation_gives_the_first_frame(self, tmp_path, suffix):
        path = tmp_path / f"frames{suffix}"
        frames = [Image.new("RGB", (24, 18), colour) for colour in ("red", "lime", "blue")]
        frames[0].save(path, save_all=True, append_images=frames[1:])
        picture = load_picture(path)
        assert picture.shape == (18, 24, 3)
        assert np.abs(picture.astype(int) - (255, 0, 0)).max() < 6

    @pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_exif_orientation_as_pillow_applies_it(self, tmp_path, photo, orientation, suffix):
        path = tmp_path / f"turned{suffix}"
        exif = Image.Exif()
        exif[load.EXIF_ORIENTATION] = orientation
        Image.fromarray(photo).save(path, exif=exif)
        with Image.open(path) as image:
            image.load()
            upright = np.asarray(ImageOps.exif_transpose(image))
        assert np.array_equal(load_picture(path), upright)

    def test_senseless_orientation_is_ignored(self, tmp_path, photo):
        path = tmp_path / "turned.png"
        exif = Image.Exif()
        exif[load.EXIF_ORIENTATION] = 77
        Image.fromarray(photo).save(path, exif=exif)
        assert np.array_equal(load_picture(path), photo)

    def test_broken_exif_does_not_cost_the_picture(self, tmp_path, photo):
        path = tmp_path / "meta.png"
        Image.fromarray(photo).save(path, exif=b"Exif\x00\x00no TIFF header")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert np.array_equal(load_picture(path), photo)
            assert read_focal_px(path, (24, 18)) is None


class TestFocal:
    """What the camera wrote: 50 mm on 35 mm film, of a picture of 240 x 180 pixels."""

    @staticmethod
    def saved(path: Path, picture: np.ndarray, details: dict[int, object]) -> Path:
        exif = Image.Exif()
        exif[load.EXIF_ORIENTATION] = 1  # Pillow leaves out what has details alone
        exif.get_ifd(load.EXIF_DETAILS).update(details)
        Image.fromarray(picture).save(path, exif=exif)
        return path

    @pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
    @pytest.mark.parametrize("taken", [{}, {load.EXIF_WIDTH: 180, load.EXIF_HEIGHT: 240}])
    def test_it_is_as_long_for_the_picture_as_on_film(self, tmp_path, photo, suffix, taken):
        path = self.saved(tmp_path / f"a{suffix}", photo, {load.EXIF_FOCAL_MM: 50} | taken)
        focal_px = read_focal_px(path, (24, 18))
        assert focal_px == pytest.approx(50 / np.hypot(36, 24) * 30)
        assert read_focal_px(path, (18, 24)) == focal_px

    @pytest.mark.parametrize(
        "details",
        [
            {},
            {load.EXIF_FOCAL_MM: 0},
            {load.EXIF_FOCAL_MM: 1},
            {load.EXIF_FOCAL_MM: 65535},
            {load.EXIF_FOCAL_MM: "long"},
            {load.EXIF_FOCAL_MM: 50, load.EXIF_WIDTH: 240, load.EXIF_HEIGHT: 160},  # cropped since
            {load.EXIF_FOCAL_MM: 50, load.EXIF_WIDTH: "wide"},
        ],
    )
    def test_where_nothing_can_be_known_there_is_none(self, tmp_path, photo, details):
        path = self.saved(tmp_path / "a.jpg", photo, details)
        assert read_focal_px(path, (24, 18)) is None
        assert read_focal_px(tmp_path / "nowhere.jpg", (24, 18)) is None

    def test_pixels_are_not_decoded(self, tmp_path, photo, monkeypatch):
        path, decoded = tmp_path / "a.png", []
        Image.fromarray(photo).save(path)
        monkeypatch.setattr(PngImageFile, "load", decoded.append)
        assert read_focal_px(path, (24, 18)) is None and not decoded


class TestReduceTo8Bits:
    def test_rounds_to_the_nearest(self):
        values = np.arange(65536, dtype=np.uint16)[None]
        assert np.array_equal(reduce_to_8_bits(values), np.round(values / 257).astype(np.uint8))


class TestSize:
    def test_large_jpeg_is_reduced_to_fit(self, tmp_path):
        path = tmp_path / "large.jpg"
        large = np.zeros((160, 240, 3), np.uint8)
        large[:, 120:] = 200
        Image.fromarray(large).save(path, quality=95)
        for max_pixels, shape in [
            (160 * 240, (160, 240, 3)),
            (160 * 240 - 1, (80, 120, 3)),
            (80 * 120 - 1, (40, 60, 3)),
            (20 * 30, (20, 30, 3)),
        ]:
            picture = load_picture(path, max_pixels=max_pixels)
            assert picture.shape == shape
            assert picture[:, 0].max() < 10 and picture[:, -1].min() > 190

    def test_jpeg_beyond_an_eighth_is_refused(self, tmp_path):
        path = tmp_path / "large.jpg"
        Image.new("RGB", (240, 160)).save(path)
        assert refusal(path, max_pixels=599) == (
            "has 240 x 160 pixels, at most 599 are read, JPEGs at most 38,336"
        )

    def test_large_progressive_jpeg_is_refused(self, tmp_path):
        path = tmp_path / "large.jpg"
        Image.new("RGB", (240, 160)).save(path, progressive=True)
        assert "not progressive" in refusal(path, max_pixels=10_000)

    @pytest.mark.parametrize("side", [10_000, 20_000, 60_000])
    def test_huge_png_is_refused_by_its_header(self, tmp_path, side):
        # Below and above the sizes at which Pillow itself warns and raises.
        path = tmp_path / "huge.png"
        path.write_bytes(png_header(side, side))
        message = refusal(path)
        assert "64,000,000" in message and "only JPEGs may be larger" in message

    def test_jpeg_of_20k_squared_is_read_at_an_eighth(self, tmp_path, photo):
        # Pillow's own limit would refuse it. Only the header is that large: the decoder fills in.
        path = tmp_path / "huge.jpg"
        Image.fromarray(photo).save(path)
        size_of_photo, huge = struct.pack(">HH", 40, 60), struct.pack(">HH", 20_000, 20_000)
        content = path.read_bytes()
        assert content.count(size_of_photo) == 1
        path.write_bytes(content.replace(size_of_photo, huge))
        assert load_picture(path, max_pixels=7_000_000).shape == (2500, 2500, 3)

    @pytest.mark.parametrize("size", [(1, 1), (15, 400), (400, 15)])
    def test_tiny_pictures_are_refused(self, tmp_path, size):
        path = tmp_path / "tiny.png"
        Image.new("RGB", size).save(path)
        assert refusal(path) == (f"has {size[0]} x {size[1]} pixels, at least 16 x 16 are needed")

    def test_smallest_picture_passes(self, tmp_path):
        path = tmp_path / "small.png"
        Image.new("RGB", (16, 16)).save(path)
        assert load_picture(path).shape == (16, 16, 3)

    def test_large_files_are_not_opened(self, tmp_path, photo, monkeypatch):
        path = tmp_path / "photo.png"
        Image.fromarray(photo).save(path)
        monkeypatch.setattr(load, "MAX_BYTES", 10)
        assert "at most 0 are read" in refusal(path)


class TestRefusals:
    def test_missing(self, tmp_path):
        assert refusal(tmp_path / "none.png") == "no such file"

    def test_folder(self, tmp_path):
        assert refusal(tmp_path) == "is a folder, not a picture"

    def test_empty(self, tmp_path):
        path = tmp_path / "empty.jpg"
        path.touch()
        assert refusal(path) == "is empty (0 bytes)"

    @pytest.mark.parametrize(
        "content",
        [b"hello, this is text\n" * 20, b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n"],
    )
    def test_not_a_picture(self, tmp_path, content):
        path = tmp_path / "text.jpg"
        path.write_bytes(content)
        assert refusal(path) == "not a picture; readable are JPEG, PNG, WEBP, GIF, BMP, TIFF, PPM"

    @pytest.mark.parametrize("suffix", [".jpg", ".png", ".gif", ".bmp", ".tif", ".webp"])
    @pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
    def test_truncated(self, tmp_path, suffix, kept):
        noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        path = tmp_path / f"cut{suffix}"
        Image.fromarray(noise).save(path)
        content = path.read_bytes()
        path.write_bytes(content[: int(kept * len(content))])
        message = refusal(path)
        assert "damaged or truncated" in message or "not a picture" in message

    def test_jpeg_of_three_bytes(self, tmp_path):
        path = tmp_path / "start.jpg"
        path.write_bytes(load.JPEG_START)
        assert "damaged or truncated" in refusal(path)

    @pytest.mark.parametrize("suffix", [".jpg", ".png", ".gif", ".webp"])
    def test_damaged_bytes_never_raise_anything_else(self, tmp_path, photo, suffix):
        path = tmp_path / f"photo{suffix}"
        Image.fromarray(photo).save(path)
        content = path.read_bytes()
        rng = np.random.default_rng(1)
        for _ in range(40):
            damaged = np.frombuffer(content, np.uint8).copy()
            damaged[rng.integers(0, len(damaged), 4)] = rng.integers(0, 256, 4)
            path.write_bytes(damaged.tobytes())
            try:
                picture = load_picture(path, max_pixels=1_000_000)
            except PictureError as error:
                assert "\n" not in str(error)
            else:
                assert picture.ndim == 3 and picture.shape[2] == 3


class TestListPictures:
    def test_sorted_by_name_without_hidden_files_and_subfolders(self, tmp_path):
        for name in ("b.JPG", "a.png", "c.webp", ".hidden.png", "notes.txt", "picture"):
            (tmp_path / name).touch()
        (tmp_path / "folder.png").mkdir()
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub" / "d.png").touch()
        assert [path.name for path in list_pictures(tmp_path)] == ["a.png", "b.JPG", "c.webp"]

    def test_a_link_to_nothing_is_there_to_be_reported(self, tmp_path):
        (tmp_path / "link.png").symlink_to(tmp_path / "nowhere.png")
        (found,) = list_pictures(tmp_path)
        assert found.name == "link.png"
        with pytest.raises(PictureError, match="link"):
            load_picture(found)

    def test_a_file_is_taken_whatever_its_suffix(self, tmp_path):
        path = tmp_path / "photo.unknown"
        path.touch()
        assert list_pictures(str(path)) == [path]

    def test_folder_without_pictures_says_what_was_looked_for(self, tmp_path):
        (tmp_path / "notes.txt").touch()
        with pytest.raises(PictureError, match=r"holds no pictures \(\.jpg, \.jpeg, \.png, "):
            list_pictures(tmp_path)

    def test_missing_path(self, tmp_path):
        with pytest.raises(PictureError, match="no such file or folder"):
            list_pictures(tmp_path / "none")


BLACK = np.zeros((6, 8, 3), np.uint8)


@pytest.mark.parametrize(
    ("picture", "got"),
    [
        (BLACK / 255.0, "float64 of shape"),
        (BLACK[..., 0], r"uint8 of shape \(6, 8\)"),
        (np.zeros((6, 8, 4), np.uint8), "uint8 of shape"),
        (BLACK.transpose(2, 0, 1), r"uint8 of shape \(3, 6, 8\)"),
        (BLACK[None], r"uint8 of shape \(1, "),
        (BLACK[:0], r"uint8 of shape \(0, "),
        (BLACK.astype(np.uint16), "uint16"),
        (torch.from_numpy(BLACK), "Tensor, want"),
        ("photo.jpg", "str, want a uint8 RGB array"),
    ],
)
def test_what_is_no_picture_is_refused(picture, got):
    with pytest.raises(ValueError, match=f"picture: got {got}"):
        check_array(picture)


def test_a_picture_is_not_refused():
    check_array(BLACK)
