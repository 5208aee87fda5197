import zipfile

import numpy as np
import pytest

from damaged_zip import UNREADABLE, rewrite_directory, write_shape
from dimr.surface.npz import array_names, read_arrays

WANTED = {"pose": (np.floating, 1)}


@pytest.fixture
def path(tmp_path):
    np.savez(tmp_path / "a.npz", pose=np.arange(3.0))
    return tmp_path / "a.npz"


def test_an_entry_in_a_folder_has_another_name(path):
    assert array_names(path) == ["pose"]
    np.testing.assert_array_equal(read_arrays(path, WANTED)["pose"], [0, 1, 2])
    with zipfile.ZipFile(path) as archive:
        content = archive.read("pose.npy")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("folder/pose.npy", content)
    assert array_names(path) == ["folder/pose"]
    with pytest.raises(ValueError, match=r"a\.npz: lacks the arrays pose"):
        read_arrays(path, WANTED)


@pytest.mark.parametrize("how", UNREADABLE)
def test_unreadable_entries_are_refused(path, how):
    rewrite_directory(path, "pose", **UNREADABLE[how])
    with pytest.raises(ValueError, match=r"a\.npz: cannot read pose"):
        read_arrays(path, WANTED)


def test_impossible_shape_is_refused(tmp_path):
    write_shape(tmp_path / "a.npz", "pose", (10**30,))
    with pytest.raises(ValueError, match=r"a\.npz: cannot read pose"):
        read_arrays(tmp_path / "a.npz", WANTED)


def test_archive_of_a_later_version_is_refused(path):
    rewrite_directory(path, "pose", version=999)
    with pytest.raises(ValueError, match=r"a\.npz: not a readable \.npz"):
        array_names(path)
