"""The layout of docs/conventions and README is enforced, not remembered."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "dimr"
MAX_LINES = 400

# A module may import from its own package and from those of earlier rows; names in one row are
# siblings that must not know each other.
LAYERS = [
    {"types", "assets", "files"},
    {"image"},
    {"body"},
    {"surface"},
    {"encoder"},
    {"correspondence", "network"},
    {"data"},
    {"evaluate"},
    {"train"},
    {"export", "draw", "pages", "fit"},
    {"predict", "sheet"},
    {"commands"},
    {"cli"},
]
ROW_OF = {name: row for row, names in enumerate(LAYERS) for name in names}
MODULES = sorted(SOURCE.rglob("*.py"))


def package_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported_packages(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("dimr.")}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_module_imports_only_from_earlier_layers(path):
    package = package_of(path)
    if package == "__init__":
        return
    for other in imported_packages(path) - {package, "__version__"}:
        assert ROW_OF[other] < ROW_OF[package], f"{path}: {package} must not import {other}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_module_is_short_and_documented(path):
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_LINES
    assert ast.get_docstring(ast.parse(text)), f"{path}: no module docstring"


def test_stages_run_on_any_device():
    for path in MODULES:
        assert ".cuda(" not in path.read_text(), path


def test_paper_map_names_existing_code():
    text = (ROOT / "docs" / "paper_map.md").read_text()
    files = set(re.findall(r"`((?:[a-z_0-9]+/)*[a-z_0-9]+\.py)", text))
    assert files
    for name in files:
        assert (SOURCE / name).is_file() or (ROOT / name).is_file(), name


def test_every_command_is_in_the_readme():
    readme = (ROOT / "README.md").read_text()
    commands = {path.stem for path in (SOURCE / "commands").glob("*.py")} - {"__init__"}
    assert commands
    for name in commands:
        assert f"dimr {name}" in readme, name
