"""nginx as a measure of HTTP over the loopback interface: it gives files from a folder, and takes
uploads without keeping them."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from support.ports import free_port

_CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr crit;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    sendfile on;
    tcp_nodelay on;
    keepalive_requests 1000000;
    client_max_body_size 0;
    server {{
        listen 127.0.0.1:{port};
        location /files/ {{ alias {files}/; }}
        location /instances {{ return 200 '{{}}'; }}
    }}
}}
"""


@contextmanager
def nginx(folder: Path, files: Path) -> Iterator[str]:
    """Its address: `files/{name}` are those of a folder, `instances` answers every POST."""
    port = free_port()
    folder.mkdir()
    configuration = folder / "nginx.conf"
    configuration.write_text(_CONFIGURATION.format(folder=folder, files=files, port=port))
    process = subprocess.Popen(["nginx", "-p", str(folder), "-c", str(configuration)])
    url = f"http://127.0.0.1:{port}/"
    try:
        _wait(url)
        yield url
    finally:
        process.terminate()
        process.wait()


def _wait(url: str) -> None:
    for _ in range(200):
        try:
            httpx.get(url)
            return
        except httpx.TransportError:
            time.sleep(0.02)
    raise RuntimeError("nginx does not answer")


def downloaded(url: str, names: list[str], folder: Path) -> float:
    """Seconds that curl takes for files, one after the other over one connection, kept nowhere."""
    listing = folder / "curl"
    lines = [f'url = "{url}files/{name}"\noutput = "/dev/null"' for name in names]
    listing.write_text("\n".join(lines))
    began = time.perf_counter()
    subprocess.run(["curl", "-sf", "-K", str(listing)], check=True)
    return time.perf_counter() - began
