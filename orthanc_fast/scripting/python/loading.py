"""Importing the script of a site. Source: reference chapter 7, section 1."""

import importlib.util
import os
import site
import sys
import traceback
from pathlib import Path

from orthanc_fast.scripting.host import CannotLoad

SERVER = f"{Path(__file__).parents[2]}{os.sep}"
"""Frames of a traceback that are not the script's begin with it."""


def use_environment(folder: Path) -> None:
    """Packages of a virtual environment can be imported, behind those of the server. Raises
    CannotLoad for one of another version of Python, whose compiled packages would not work."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    if not packages.is_dir():
        raise CannotLoad(
            f"VirtualEnvironment: {folder} has no packages for this server's "
            f"{version}: make it anew with that version"
        )
    site.addsitedir(str(packages))


def load_script(path: Path) -> None:
    """Imports a file as a module named after it, its folder first among those that are searched.
    Raises CannotLoad with one line."""
    if not path.is_file():
        raise CannotLoad(f"PythonScript: there is no file {path}")
    sys.path.insert(0, str(path.parent))
    sys.argv = [""]
    name = path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise CannotLoad(f"PythonScript: {path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:  # SystemExit too: a script that ends itself has not been loaded
        raise CannotLoad(f"PythonScript: {_one_line(error, path)}") from error


def _one_line(error: BaseException, path: Path) -> str:
    """Where and why it failed."""
    if isinstance(error, SyntaxError):
        return f"{error.filename or path}, line {error.lineno}: {error.msg}"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(("<", SERVER)) and "importlib" not in frame.filename
    ]
    place = f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else str(path)
    text = " ".join(str(error).split())
    return (
        f"{place}: {type(error).__name__}: {text}" if text else f"{place}: {type(error).__name__}"
    )
