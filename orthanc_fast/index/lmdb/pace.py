"""How long the disk of the index takes to make a write durable, as it has shown lately."""

from collections import deque

# The last times that count, and which of them, in ascending order, stands for the disk. It is one
# of the shortest: a slow disk is always slow, while on a busy machine any time may be long because
# the process had to wait for a core.
LAST = 8
QUARTER = 4
# Seconds. A disk is slow from the first number on and quick again below the second, so that one in
# between is either, but not both in turn.
SLOW = 0.003
QUICK = 0.0015


class Pace:
    """The lower quartile of the last times, shared by all writers of a process; changed by one at a
    time."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=LAST)
        self.is_slow = False

    def note(self, seconds: float) -> None:
        """One write took so long to become durable."""
        times = self._times
        times.append(seconds)
        typical = sorted(times)[max(0, len(times) // QUARTER - 1)]
        self.is_slow = typical > (QUICK if self.is_slow else SLOW)
