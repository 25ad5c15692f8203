"""nginx: a site's reverse proxy, and a measure of HTTP over the loopback interface."""

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
        {locations}
    }}
}}
"""

# For a server below /orthanc/, as docs/behind-a-proxy.md shows it, with the port of the proxy.
BELOW_A_PREFIX = """
location /orthanc/ {{
    proxy_pass {server}/;
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_set_header X-Forwarded-Prefix /orthanc;
    proxy_set_header Forwarded "";
}}
"""


@contextmanager
def nginx(folder: Path, locations: str) -> Iterator[str]:
    """Its address, without a slash at the end; `locations` is what the server is told."""
    port = free_port()
    folder.mkdir()
    configuration = folder / "nginx.conf"
    text = _CONFIGURATION.format(folder=folder, port=port, locations=locations)
    configuration.write_text(text)
    process = subprocess.Popen(["nginx", "-p", str(folder), "-c", str(configuration)])
    url = f"http://127.0.0.1:{port}"
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
