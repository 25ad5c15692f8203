"""SOP classes of the SCP. Source: reference chapter 4, sections 1.4 and 1.5."""

import re
from collections.abc import Iterable, Sequence

from orthanc_fast.services.scp.patterns import has_wildcards, matching

VERIFICATION = "1.2.840.10008.1.1"
STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"
WORKLIST_FIND = "1.2.840.10008.5.1.4.31"
PATIENT_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.1.1"
PATIENT_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.1.2"
PATIENT_ROOT_GET = "1.2.840.10008.5.1.4.1.2.1.3"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"

QUERY_RETRIEVE_FIND = (PATIENT_ROOT_FIND, STUDY_ROOT_FIND)
QUERY_RETRIEVE_MOVE = (PATIENT_ROOT_MOVE, STUDY_ROOT_MOVE)
QUERY_RETRIEVE_GET = (PATIENT_ROOT_GET, STUDY_ROOT_GET)

# Of the form 1.2.840.10008.5.1.4.1.1.x; "4.1-4.4" counts the last component.
_STORAGE_SUFFIXES = """
1 1.1 1.1.1 1.2 1.2.1 1.3 1.3.1 2 2.1 2.2 3 3.1 4 4.1-4.4 5 6 6.1-6.3 7 7.1-7.4 8 9 9.1
9.1.1-9.1.4 9.2.1 9.3.1 9.4.1 9.4.2 9.5.1 9.6.1 9.6.2 9.7.1-9.7.4 9.8.1 9.100.1 9.100.2 10 11
11.1-11.12 12.1 12.1.1 12.2 12.2.1 12.3 13.1.1-13.1.5 14.1 14.2 20 30 66 66.1-66.8 67 68.1 68.2
77.1 77.1.1 77.1.1.1 77.1.2 77.1.2.1 77.1.3 77.1.4 77.1.4.1 77.1.5.1-77.1.5.8 77.1.6 77.1.7-77.1.9
77.2 78.1-78.8 79.1 80.1 81.1 82.1 88.1-88.4 88.11 88.22 88.33-88.35 88.40 88.50 88.59 88.65
88.67-88.77 90.1 91.1 104.1-104.5 128 128.1 129 130 131 200.2 200.8 481.1-481.25 501.1 501.2.1
501.2.2 501.3-501.6 601.1-601.5
"""
_STORAGE_OTHERS = (
    "1.2.840.10008.5.1.1.27",
    "1.2.840.10008.5.1.1.29",
    "1.2.840.10008.5.1.1.30",
    "1.2.840.10008.5.1.4.34.1",
    "1.2.840.10008.5.1.4.34.7",
    "1.2.840.10008.5.1.4.34.10",
)


def expand_suffixes(text: str) -> Iterable[str]:
    """The words of a text; of `4.1-4.4` each number."""
    for token in text.split():
        match = re.fullmatch(r"((?:\d+\.)*)(\d+)-(?:\d+\.)*(\d+)", token)
        if match is None:
            yield token
        else:
            first, last = int(match[2]), int(match[3])
            yield from (f"{match[1]}{number}" for number in range(first, last + 1))


STORAGE: tuple[str, ...] = (
    *(f"1.2.840.10008.5.1.4.1.1.{suffix}" for suffix in expand_suffixes(_STORAGE_SUFFIXES)),
    *_STORAGE_OTHERS,
)


def accepted(wanted: Sequence[str], rejected: Sequence[str]) -> tuple[str, ...]:
    """The accepted storage classes, in this order: plain UIDs as they are, patterns among the
    known ones."""
    refused = set(_resolve(rejected))
    found = dict.fromkeys(_resolve(wanted) if wanted else STORAGE)
    return tuple(each for each in found if each not in refused)


def _resolve(patterns: Sequence[str]) -> Iterable[str]:
    for pattern in patterns:
        if has_wildcards(pattern):
            yield from matching(pattern, STORAGE)
        else:
            yield pattern
