"""Imports go down the rooms only (docs/architecture.md), and some libraries are known to one
room."""

import ast
import tomllib
from pathlib import Path

import pytest

import orthanc_fast

PACKAGE = Path(orthanc_fast.__file__).parent

GROUND = {
    "config",
    "config_file",
    "config_options",
    "config_sections",
    "character_sets",
    "error_codes",
    "errors",
    "implementation",
    "log",
    "model",
    "numerals",
    "registries",
    "transfer_syntaxes",
    "_ext",
}
KNOWLEDGE = {"index", "storage", "imaging", "dicom", "upper_layer", "runtime"}
DOORS = {"rest", "network", "client"}
WIRING = {"cli", "server", "supervisor", "worker", "granian_worker"}

ALLOWED = {
    **dict.fromkeys(GROUND, GROUND),
    **{room: {room} | GROUND for room in KNOWLEDGE},
    "services": {"services"} | KNOWLEDGE | GROUND,
    **{room: {room, "services"} | KNOWLEDGE | GROUND for room in DOORS},
    **dict.fromkeys(WIRING, WIRING | DOORS | KNOWLEDGE | GROUND | {"services"}),
}
# Rooms, or modules, that alone may import a library.
KEEPERS = {
    "lmdb": {"index", "runtime"},
    "granian": {"granian_worker"},
    "uvloop": {"granian_worker"},
    "pynetdicom": {"upper_layer"},
    "imagecodecs": {"imaging"},
    "click": {"cli"},
}

MODULES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """The full names of all imported modules, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            if node.module == "orthanc_fast":
                found |= {f"orthanc_fast.{alias.name}" for alias in node.names}
            else:
                found.add(node.module)
    return found


def test_the_wheel_holds_every_package() -> None:
    """setuptools is told their names one by one; an editable installation would not miss any."""
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())
    folders = {path.parent.relative_to(PACKAGE.parent) for path in PACKAGE.rglob("__init__.py")}
    packages = {".".join(folder.parts) for folder in folders}
    assert set(project["tool"]["setuptools"]["packages"]) == packages


def test_the_rooms_are_known() -> None:
    rooms = {room_of(path) for path in MODULES} - {"__init__"}
    assert rooms <= set(ALLOWED), rooms - set(ALLOWED)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
        assert imports(path) == set()
        return
    for name in imports(path):
        library, _, rest = name.partition(".")
        if library == "orthanc_fast":
            imported = rest.partition(".")[0]
            if imported != "__version__":
                assert imported in ALLOWED[room], f"{room} imports {name}"
        elif library in KEEPERS:
            assert room in KEEPERS[library], f"{name} belongs to {KEEPERS[library]}"
