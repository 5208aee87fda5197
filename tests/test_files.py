import os
from pathlib import Path

import pytest

from dimr.files import check_file_place, check_folder_place, write_atomically


class TestPlaces:
    def test_what_is_not_there_yet_is_a_place_and_stays_away(self, tmp_path, monkeypatch):
        check_folder_place("--out", tmp_path / "new" / "deep")
        check_file_place("--json", tmp_path / "new" / "numbers.json")
        monkeypatch.chdir(tmp_path)
        check_file_place("--json", tmp_path.relative_to(tmp_path) / "numbers.json")
        assert list(tmp_path.iterdir()) == []

    def test_a_file_is_no_folder(self, tmp_path):
        (tmp_path / "file").write_text("mine")
        for folder in (tmp_path / "file", tmp_path / "file" / "below"):
            with pytest.raises(ValueError, match=r"--out: .*file is not a folder"):
                check_folder_place("--out", folder)
        with pytest.raises(ValueError, match=r"--json: .*file is not a folder"):
            check_file_place("--json", tmp_path / "file" / "numbers.json")

    def test_a_folder_is_no_file(self, tmp_path):
        with pytest.raises(ValueError, match=r"--json: .* is a folder, want a file"):
            check_file_place("--json", tmp_path)

    def test_a_link_to_nothing_is_no_folder(self, tmp_path):
        (tmp_path / "link").symlink_to(tmp_path / "nowhere")
        with pytest.raises(ValueError, match="link is not a folder"):
            check_folder_place("--out", tmp_path / "link")

    @pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="no folder that takes no files")
    def test_a_folder_that_takes_no_files(self):
        with pytest.raises(ValueError, match="--out: nothing can be written to /proc"):
            check_folder_place("--out", Path("/proc/below"))


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        write_atomically(tmp_path / "folder", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
