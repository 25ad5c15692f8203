"""The memory of server processes that is their own: what the page cache lends does not count."""

from pathlib import Path

import psutil
from support.process import ServerProcess, children, workers


def worker(server: ServerProcess) -> psutil.Process:
    """The only HTTP worker of a server."""
    assert server.process is not None
    (pid,) = workers(server.process.pid)
    return psutil.Process(pid)


def anonymous(process: psutil.Process) -> int:
    """Bytes."""
    return anonymous_of(process.pid)


def anonymous_of(pid: int) -> int:
    """Bytes. Raises FileNotFoundError for a process that has gone."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) << 10
    raise AssertionError("no RssAnon")


def largest(server: ServerProcess) -> int:
    """Bytes of the largest process below the supervisor."""
    assert server.process is not None
    return max(anonymous_of(pid) for pid in children(server.process.pid))
