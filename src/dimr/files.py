"""Files are written whole or not at all, and a place for them is refused before the work."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A neighbouring file to write, which takes the place of `path` if all went well.

    Readers see old or new, never half; what was half written goes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield partial
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all."""
    with replacing(path) as partial:
        partial.write_bytes(content)


def check_folder_place(name: str, folder: Path) -> None:
    """Refuses what is no folder and cannot become one, or one that takes no files.

    Args:
        name: of the argument, for the message.
        folder: need not exist yet.

    Raises:
        ValueError: naming the argument.
    """
    there = next(each for each in (folder, *folder.absolute().parents) if os.path.lexists(each))
    if not there.is_dir():
        raise ValueError(f"{name}: {there} is not a folder")
    try:
        with TemporaryFile(dir=there):
            pass
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ValueError(f"{name}: nothing can be written to {there} ({reason})") from error


def check_file_place(name: str, path: Path) -> None:
    """Refuses a folder, and a name in a folder that takes no files; see `check_folder_place`."""
    if path.is_dir():
        raise ValueError(f"{name}: {path} is a folder, want a file")
    check_folder_place(name, path.parent)
