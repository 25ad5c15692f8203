"""The man page and the completions of deploy/ are those of the command line as it is."""

import importlib.util
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import click
import pytest

from orthanc_fast.cli import main

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    specification = importlib.util.spec_from_file_location(
        "make_man", ROOT / "scripts" / "make_man.py"
    )
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_they_are_current(script: ModuleType) -> None:
    for path, text in script.files().items():
        assert path.read_text() == text, f"{path.name}: run python scripts/make_man.py"


def test_the_page_is_read_without_a_warning(script: ModuleType) -> None:
    """By man, as people read it; with all commands and their options."""
    done = subprocess.run(
        ["man", "--warnings", "-l", str(script.FOLDER / "orthanc-fast.1")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "MANWIDTH": "100", "LC_ALL": "C.UTF-8"},
    )
    assert done.stderr == ""
    context = click.Context(main)
    names = main.list_commands(context)
    assert {"import", "serve"} <= set(names)
    for name in names:
        command = main.get_command(context, name)
        assert command is not None
        assert name in done.stdout
        for parameter in command.params:
            for option in parameter.opts:
                assert not option.startswith("--") or option in done.stdout, (name, option)
    assert "EXIT STATUS" in done.stdout


def test_bash_completes_commands_and_options() -> None:
    words = {"COMP_WORDS": "orthanc-fast serve --no", "COMP_CWORD": "2"}
    done = subprocess.run(
        [sys.executable, "-m", "orthanc_fast.cli"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **words, "_ORTHANC_FAST_COMPLETE": "bash_complete"},
    )
    assert done.stdout.split() == ["plain,--no-jobs"]


def test_a_wheel_has_them_where_shells_and_man_look(script: ModuleType) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    installed = {
        str(ROOT / path)
        for paths in project["tool"]["setuptools"]["data-files"].values()
        for path in paths
    }
    assert {str(path) for path in script.files()} <= installed
