"""Load on a server: wrk for GET, processes with raw sockets for POST. Always on the loopback
interface, always bounded."""

import multiprocessing
import re
import socket
import subprocess
import tempfile
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import quantiles
from typing import Any

import msgspec
from support import generated

WRK_SCRIPT = """
local paths = {}
for line in io.lines("PATHS") do paths[#paths + 1] = line end
local at = 0
request = function()
  at = at % #paths + 1
  local method, path, body = paths[at]:match("^(%S+) (%S+) ?(.*)$")
  return wrk.format(method, path, nil, body)
end
"""

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


class Load(msgspec.Struct):
    """One round: units done, seconds taken, latencies in seconds."""

    units: int
    seconds: float
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        return self.units / self.seconds


def get(
    url: str, paths: list[str], seconds: float, connections: int = 16, accept: str = "*/*"
) -> Load:
    """wrk over keep-alive connections, cycling through `paths`."""
    return send(url, [f"GET {path}" for path in paths], seconds, connections, accept)


def post_json(url: str, path: str, bodies: list[Any], seconds: float, connections: int) -> Load:
    """As `get`, with a body of JSON in each request."""
    texts = [msgspec.json.encode(body).decode() for body in bodies]
    return send(url, [f"POST {path} {text}" for text in texts], seconds, connections)


def send(url: str, calls: list[str], seconds: float, connections: int, accept: str = "*/*") -> Load:
    """wrk, cycling through calls such as "GET /path" or "POST /path body"."""
    with tempfile.TemporaryDirectory() as folder:
        listing, script = Path(folder, "paths"), Path(folder, "script.lua")
        listing.write_text("\n".join(calls))
        script.write_text(WRK_SCRIPT.replace("PATHS", str(listing)))
        command = [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{round(seconds)}s",
            f"-HAccept: {accept}",
            "--latency",
            "-s",
            str(script),
        ]
        output = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in output:
        raise RuntimeError(f"wrong answers:\n{output}")
    match = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m)", output)
    if match is None:
        raise RuntimeError(f"wrk said:\n{output}")
    duration = float(match[2]) * _UNITS[match[3]]
    return Load(int(match[1]), duration, _percentile(output, 50), _percentile(output, 99))


def _percentile(output: str, percent: int) -> float:
    match = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s|m)", output, re.MULTILINE)
    return float(match[1]) * _UNITS[match[2]] if match else float("nan")


def post(port: int, template: generated.Template, first: int, count: int, clients: int) -> Load:
    """Uploads instances numbered from `first`; each client has a process and one connection.

    Every hundred instances are a series, every thousand a study and a patient.
    """
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(clients + 1)
    results: multiprocessing.Queue[list[float]] = context.Queue()
    shares = [range(first + n, first + count, clients) for n in range(clients)]
    processes = [
        context.Process(target=_client, args=(port, template, share, barrier, results))
        for share in shares
    ]
    for process in processes:
        process.start()
    barrier.wait()
    begin = time.perf_counter()
    latencies = [latency for _ in processes for latency in results.get(timeout=600)]
    seconds = time.perf_counter() - begin
    for process in processes:
        process.join()
    if len(latencies) != count:
        raise RuntimeError(f"only {len(latencies)} of {count} uploads were acknowledged")
    cuts = quantiles(latencies, n=100)
    return Load(count, seconds, cuts[49], cuts[98])


def _client(
    port: int,
    template: generated.Template,
    share: range,
    barrier: Barrier,
    results: "multiprocessing.Queue[list[float]]",
) -> None:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    size = len(template.data)
    head = f"POST /instances HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {size}\r\n\r\n".encode()
    # Made beforehand: the generator should cost the machine as little as it can.
    requests = [
        head + template.number(number // 1000, number // 1000, number // 100, number)
        for number in share
    ]
    latencies = []
    barrier.wait()
    for request in requests:
        begin = time.perf_counter()
        connection.sendall(request)
        if _read_answer(connection).startswith(b"HTTP/1.1 200"):
            latencies.append(time.perf_counter() - begin)
    results.put(latencies)
    connection.close()


def _read_answer(connection: socket.socket) -> bytes:
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(65536)
    head, _, body = answer.partition(b"\r\n\r\n")
    match = re.search(rb"(?i)content-length: (\d+)", head)
    missing = (int(match[1]) if match else 0) - len(body)
    while missing > 0:
        missing -= len(connection.recv(missing))
    return head
