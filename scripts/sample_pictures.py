"""Makes the pictures of docs/imaging.md: a server draws them from pydicom's test files.

PYTHONPATH=.:tests python scripts/sample_pictures.py
"""

import tempfile
from pathlib import Path

import httpx
from support.files import file_named
from support.server import OurServer

FOLDER = Path(__file__).parent.parent / "docs" / "images"

SAMPLES = {
    "ct-preview": ("CT_small.dcm", "preview"),
    "ct-window": ("CT_small.dcm", "rendered?window-center=0&window-width=600"),
    "ct-enlarged": ("CT_small.dcm", "rendered?window-center=0&window-width=600&width=200"),
    "xray": ("RG1_J2KR.dcm", "rendered?height=200&smooth=1"),
    "ultrasound": ("US1_J2KR.dcm", "rendered?height=200&smooth=1"),
    "palette": ("examples_palette.dcm", "rendered?height=200"),
    "voi-default": ("vlut_04.dcm", "rendered?height=200&smooth=1"),
    "voi-standard": ("vlut_04.dcm", "rendered?height=200&smooth=1&voi=standard"),
    "dose": ("rtdose.dcm", "frames/7/rendered?height=200"),
}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, OurServer(Path(folder)) as server:
        for name, (file, route) in SAMPLES.items():
            url = f"{server.url}/instances"
            stored = httpx.post(url, content=file_named(file).read_bytes())
            picture = httpx.get(f"{url}/{stored.json()['ID']}/{route}", timeout=30)
            picture.raise_for_status()
            (FOLDER / f"{name}.png").write_bytes(picture.content)


if __name__ == "__main__":
    main()
