"""What moving in tells: what was found, what was taken over, and what is not as it should be."""

import msgspec

from orthanc_fast.orthanc_store.model import Facts, Unreadable

NAMED = 1000  # findings of a kind that are named; all are counted


class Finding(msgspec.Struct):
    """What is not as it should be: `kind` is "missing file", "size of a file", "unreadable file",
    "damaged file", "row of the index", "not taken over", "not held by Orthanc"."""

    kind: str
    explanation: str
    count: int = 0
    subjects: list[str] = []

    def add(self, subject: str) -> None:
        self.count += 1
        if len(self.subjects) < NAMED:
            self.subjects.append(subject)

    def join(self, other: "Finding") -> None:
        """What another one of the same kind has, too."""
        self.count += other.count
        self.subjects = (self.subjects + other.subjects)[:NAMED]


class Taken(msgspec.Struct):
    """What there is, each counted."""

    patients: int = 0
    studies: int = 0
    series: int = 0
    instances: int = 0
    attachments: int = 0
    bytes: int = 0  # as stored
    metadata: int = 0
    labels: int = 0
    changes: int = 0
    exports: int = 0
    protected: int = 0
    properties: int = 0


class Report(msgspec.Struct):
    """`adopted` is False for a dry run. `seconds` is the time that it took."""

    adopted: bool
    source: str
    taken: Taken
    findings: list[Finding]
    notes: list[str] = []
    seconds: float = 0.0

    @property
    def clean(self) -> bool:
        return not self.findings


class LeaveReport(msgspec.Struct):
    """`left` is False for a dry run. `kept` is the name that an index which was there has now.
    `not_held` is what Orthanc has no place for, which is no fault. `md5s_to_compute` files, of
    `bytes_to_read`, have no MD5 in the index: those that would be read, or that could not be.
    `notes` say what the configuration of the Orthanc needs."""

    left: bool
    target: str
    kept: str | None
    taken: Taken
    findings: list[Finding]
    not_held: list[Finding]
    md5s_computed: int = 0
    md5s_to_compute: int = 0
    bytes_to_read: int = 0
    notes: list[str] = []
    seconds: float = 0.0

    @property
    def clean(self) -> bool:
        return not self.findings


def of_rows(unreadable: list[Unreadable]) -> list[Finding]:
    """What the index of the Orthanc has and should not."""
    return [
        Finding("row of the index", f"{each.reason}: left out", each.count, each.subjects)
        for each in unreadable
    ]


def described(source: str, facts: Facts) -> str:
    """One line on where it came from."""
    return f"{source} of Orthanc {facts.version}"
