"""What a server costs: CPU time and anonymous memory of all its processes, from /proc."""

import os
from pathlib import Path

from support.process import children

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
        try:
            for line in Path(f"/proc/{number}/status").read_text().splitlines():
                if line.startswith("RssAnon:"):
                    total += int(line.split()[1])
        except FileNotFoundError:
            continue
    return total / 1024
