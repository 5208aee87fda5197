"""Files that ship with the package; how each was made stands in NOTICE."""

from pathlib import Path


def asset_path(name: str) -> Path:
    """Path of a shipped file.

    Raises:
        FileNotFoundError: if the package holds no such file.
    """
    path = Path(__file__).parent / name
    if not path.is_file():
        raise FileNotFoundError(f"asset {name!r} is missing from the installed package ({path})")
    return path
