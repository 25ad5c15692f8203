"""nginx as a measure of HTTP over the loopback interface: it gives files from a folder, and takes
uploads without keeping them."""

import subprocess
import time
from contextlib import AbstractContextManager
from pathlib import Path

from support import nginx as web

_LOCATIONS = """
location /files/ {{ alias {files}/; }}
location /instances {{ return 200 '{{}}'; }}
"""


def nginx(folder: Path, files: Path) -> AbstractContextManager[str]:
    """Its address: `/files/{name}` are those of a folder, `/instances` answers every POST."""
    return web.nginx(folder, _LOCATIONS.format(files=files))


def downloaded(url: str, names: list[str], folder: Path) -> float:
    """Seconds that curl takes for files, one after the other over one connection, kept nowhere."""
    listing = folder / "curl"
    lines = [f'url = "{url}/files/{name}"\noutput = "/dev/null"' for name in names]
    listing.write_text("\n".join(lines))
    began = time.perf_counter()
    subprocess.run(["curl", "-sf", "-K", str(listing)], check=True)
    return time.perf_counter() - began
