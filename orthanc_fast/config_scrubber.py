"""The section `Scrubber`: stored files are read again and compared with their checksums."""

from typing import Any, Final

import msgspec

from orthanc_fast.config_plugins import hours_of

_HOURS: Final = 7 * 24


class Scrubber(msgspec.Struct, frozen=True, rename="pascal"):
    """How fast. A round begins every `days`; with `megabytes_per_second` 0 it is spread over them,
    else it reads that much and rests until the next one. `hours` are those of each day of the week,
    Monday first, in which it may read; None: always."""

    enable: bool = False
    days: float = 30.0
    megabytes_per_second: float = 0.0
    schedule: dict[str, list[str]] | None = None
    hours: tuple[frozenset[int], ...] | None = None

    def allows(self, weekday: int, hour: int) -> bool:
        """Whether it may read then; Monday is 0."""
        return self.hours is None or hour in self.hours[weekday]

    @property
    def share(self) -> float:
        """The part of the time in which it may read."""
        return 1.0 if self.hours is None else sum(map(len, self.hours)) / _HOURS


def scrubber(value: Any) -> Scrubber | None:
    """The options of the section `Scrubber`, None where it is not enabled. Raises ValueError."""
    found = msgspec.convert({**value, "Hours": None}, Scrubber)
    if not found.enable:
        return None
    if found.days <= 0:
        raise ValueError("Days must be above 0")
    if found.megabytes_per_second < 0:
        raise ValueError("MegabytesPerSecond must be at least 0")
    return msgspec.structs.replace(found, hours=hours_of(found.schedule))
