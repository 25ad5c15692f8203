"""Which frame of which file stands at each place of an array, without a list of them all: the
number of frames is what a file says it is."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from orthanc_fast.errors import ParameterOutOfRange

Selection = Sequence[slice] | None


class Places:
    """The frames of several files one after the other, or those chosen of them."""

    __slots__ = ("_counts", "_ends", "_part_ends", "_parts")

    def __init__(self, counts: Sequence[int], selection: Selection = None, name: str = "") -> None:
        """`counts`: frames of each file. Raises ParameterOutOfRange if the selection, which the
        request calls `name`, leaves none."""
        self._counts = counts
        self._ends = list(accumulate(counts))
        total = self._ends[-1]
        chosen = [slice(None)] if selection is None else selection
        self._parts = [part for each in chosen if (part := range(*each.indices(total)))]
        self._part_ends = list(accumulate(map(len, self._parts)))
        if not self._parts and selection is not None:
            raise ParameterOutOfRange(f'"{name}" chooses none of the {total} that there are')

    def __len__(self) -> int:
        return self._part_ends[-1]

    def __getitem__(self, place: int) -> tuple[int, int]:
        """(number of the file, number of the frame in it)"""
        number = bisect_right(self._part_ends, place)
        part = self._parts[number]
        frame = part[place - self._part_ends[number] + len(part)]
        source = bisect_right(self._ends, frame)
        return source, frame - self._ends[source] + self._counts[source]

    def first_of_each(self) -> dict[int, int]:
        """The numbers of the files that have a place, each with one of its frames that has one:
        the first, where frames are in order."""
        found: dict[int, int] = {}
        for number, (end, count) in enumerate(zip(self._ends, self._counts, strict=True)):
            for part in self._parts:
                frame = _first_within(part, end - count, end)
                if frame is not None:
                    found[number] = frame - end + count
                    break
        return found

    @property
    def identity(self) -> tuple[Sequence[int], list[range]]:
        """Equal for equal places."""
        return self._counts, self._parts


def _first_within(part: range, low: int, high: int) -> int | None:
    """The first member from `low` on and below `high`."""
    edge = low if part.step > 0 else high - 1
    steps = max(0, -((part.start - edge) // part.step))
    if steps >= len(part):
        return None
    return part[steps] if low <= part[steps] < high else None
