"""What a server costs: CPU time and anonymous memory of all its processes, from /proc."""

import contextlib
import os
import time
from pathlib import Path

import httpx
from support.process import children
from support.process_memory import anonymous_of

TICKS = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """A process and all its descendants."""
    found = [pid]
    for number in found:
        found.extend(children(number))
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of a process tree, ended and awaited children included."""
    total = 0
    for number in tree(pid):
        try:
            fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:
            continue
        total += sum(int(field) for field in fields[11:15])
    return total / TICKS


def anonymous_megabytes(pid: int) -> float:
    """Anonymous memory of a process tree."""
    total = 0
    for number in tree(pid):
        with contextlib.suppress(FileNotFoundError):
            total += anonymous_of(number)
    return total / (1 << 20)


def memory_of_job(client: httpx.Client, job: str, pid: int) -> str:
    """How long a job takes, and the anonymous memory of a process tree after each fifth of it, as
    the end of a sentence. Raises RuntimeError unless it succeeds."""
    sizes: list[float] = []
    while (found := client.get(f"/jobs/{job}").json())["State"] in ("Pending", "Running"):
        if found["Progress"] >= 20 * (len(sizes) + 1):
            sizes.append(anonymous_megabytes(pid))
        time.sleep(0.02)
    if found["State"] != "Success":
        raise RuntimeError(f"not all was sent: {found}")
    return (
        f"{found['EffectiveRuntime']:.1f} s; anonymous memory meanwhile "
        f"{', '.join(f'{size:.0f}' for size in sizes)} MB."
    )
