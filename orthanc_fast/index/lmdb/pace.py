"""How long the disk of the index takes to make a write durable, as it has shown lately."""

# The part of the newest time in the estimate: two slow commits tell a slow disk, and one that was
# held up is forgotten after a few quick ones.
WEIGHT = 0.25
# Seconds. A disk is slow from the first number on and quick again below the second, so that one in
# between is either, but not both in turn.
SLOW = 0.003
QUICK = 0.0015


class Pace:
    """A decaying mean, shared by all writers of a process; changed by one at a time."""

    def __init__(self) -> None:
        self._mean: float | None = None
        self.is_slow = False

    def note(self, seconds: float) -> None:
        """One write took so long to become durable."""
        mean = seconds if self._mean is None else self._mean + WEIGHT * (seconds - self._mean)
        self._mean = mean
        self.is_slow = mean > (QUICK if self.is_slow else SLOW)
