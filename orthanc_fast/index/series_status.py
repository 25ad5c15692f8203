"""Whether a series is complete, from the expected number and the indexes of its instances.

Source: reference chapter 1, section 4.3. Orthanc has two rules: a strict one for the
CompletedSeries event, and one over the distinct values for the `Status` that answers show.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

from orthanc_fast.numerals import integer

Status = Literal["Unknown", "Complete", "Inconsistent", "Missing"]

IndexValue = str | None


def _as_integer(text: IndexValue) -> int | None:
    return None if text is None else integer(text)


def is_complete(indexes: Sequence[IndexValue], expected: int) -> bool:
    """Strict: every index 1..expected exactly once."""
    numbers = {_as_integer(value) for value in indexes}
    return len(indexes) == expected and numbers == set(range(1, expected + 1))


def status(indexes: Iterable[IndexValue], expected: int | None) -> tuple[Status, int | None]:
    """The `Status` and `ExpectedNumberOfInstances` that an answer about the series shows."""
    if expected is None:
        return "Unknown", None
    distinct = {value for value in indexes if value is not None}
    numbers = [_as_integer(value) for value in distinct]
    if any(number is None for number in numbers):
        return "Unknown", None
    found = [number for number in numbers if number is not None]
    if any(number < 1 or number > expected for number in found):
        return "Inconsistent", expected
    if len(set(found)) != len(found):
        return "Inconsistent", expected
    return ("Complete" if len(found) == expected else "Missing"), expected
