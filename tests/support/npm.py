"""What the tests take from the npm registry, fetched by `scripts/npm_packages.sh`."""

import functools
import subprocess
from pathlib import Path

_SCRIPT = Path(__file__).parents[2] / "scripts" / "npm_packages.sh"

AXE = "axe-core"
OHIF = "@ohif/app"
CORNERSTONE = "cornerstone-core"
WADO_IMAGE_LOADER = "cornerstone-wado-image-loader"
DICOM_PARSER = "dicom-parser"
DICOMWEB_CLIENT = "dicomweb-client"
VOLVIEW = "volview"


def package(name: str) -> Path:
    """The folder of a package that is there."""
    found = _folder(name)
    assert found is not None, f"no {name}: run scripts/npm_packages.sh"
    return found


def are_there() -> bool:
    """Whether all that the tests use has been fetched."""
    names = (AXE, OHIF, CORNERSTONE, WADO_IMAGE_LOADER, DICOM_PARSER, DICOMWEB_CLIENT, VOLVIEW)
    return all(_folder(name) is not None for name in names)


@functools.cache
def _folder(name: str) -> Path | None:
    command = ["sh", str(_SCRIPT), "--if-there", name]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    return Path(found.stdout.strip()) if found.returncode == 0 else None
