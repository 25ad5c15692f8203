"""Calls that anonymize and modify what is stored: docs/anonymization.md has the fields."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

import msgspec

from orthanc_fast.client.answers import DryRun, Level, Submitted
from orthanc_fast.client.call import JSON, Call, Flow, post
from orthanc_fast.client.resources import address
from orthanc_fast.client.system import require_ours

T = TypeVar("T")
Verb = Literal["anonymize", "modify"]

# Of `Changes` those that Orthanc passes over; what they ask for would not be done.
OURS = ("options", "date_shift", "pseudonym_key", "mask_pixels")


class Edits(msgspec.Struct, kw_only=True, rename="pascal", omit_defaults=True):
    """What is to become of the elements. `keep`, `remove` and the keys of `replace` are tags or
    paths; `force` is needed to touch identifiers. The last four, and `Edits` in a dry run, need
    orthanc_fast: with Orthanc they are a ServerError, as it would pass over them in silence."""

    keep: Sequence[str] = ()
    remove: Sequence[str] = ()
    replace: Mapping[str, Any] = {}
    force: bool = False
    keep_private_tags: bool | None = None
    remove_private_tags: bool | None = None
    private_creator: str | None = None
    dicom_version: str | None = None
    keep_source: bool | None = None
    keep_labels: bool | None = None
    transcode: str | None = None
    lossy_quality: int | None = None
    permissive: bool | None = None
    options: Sequence[str] = ()
    date_shift: int | None = None
    pseudonym_key: str | None = None
    mask_pixels: Sequence[Mapping[str, Any]] = ()

    @property
    def needs_ours(self) -> list[str]:
        """The fields given that only orthanc_fast knows."""
        given = (name for name in OURS if getattr(self, name) not in (None, ()))
        return ["".join(part.capitalize() for part in name.split("_")) for name in given]


NO_EDITS = Edits()


def anonymize(
    level: Level, identifier: str, edits: Edits = NO_EDITS, *, priority: int = 0
) -> Flow[Submitted]:
    """Makes an anonymized copy of a patient, study or series, as a job: `follow` waits for it."""
    return _submit(address(level, identifier, "anonymize"), {}, edits, priority)


def modify(level: Level, identifier: str, edits: Edits, *, priority: int = 0) -> Flow[Submitted]:
    """Makes a modified copy of a patient, study or series, as a job: `follow` waits for it."""
    return _submit(address(level, identifier, "modify"), {}, edits, priority)


def anonymize_all(
    identifiers: Sequence[str], edits: Edits = NO_EDITS, *, priority: int = 0
) -> Flow[Submitted]:
    """Makes anonymized copies of resources of any levels, as one job."""
    chosen = {"Resources": list(identifiers)}
    return _submit("/tools/bulk-anonymize", chosen, edits, priority)


def modify_all(
    level: Level, identifiers: Sequence[str], edits: Edits, *, priority: int = 0
) -> Flow[Submitted]:
    """Makes modified copies of resources of any levels, as one job. `level` is the highest at
    which they get new identifiers: with "Instance" they join the series that they are from."""
    chosen = {"Resources": list(identifiers), "Level": level}
    return _submit("/tools/bulk-modify", chosen, edits, priority)


def anonymized_file(instance: str, edits: Edits = NO_EDITS) -> Flow[bytes]:
    """An anonymized copy of an instance as a DICOM file; nothing is stored."""
    return _file(address("Instance", instance, "anonymize"), edits)


def modified_file(instance: str, edits: Edits) -> Flow[bytes]:
    """A modified copy of an instance as a DICOM file; nothing is stored."""
    return _file(address("Instance", instance, "modify"), edits)


def dry_run(
    identifiers: Sequence[str], edits: Edits = NO_EDITS, *, verb: Verb = "anonymize"
) -> Flow[DryRun]:
    """What an anonymization or a modification of these resources would do to each element.
    Nothing is changed. Orthanc, which would do it, is not asked: ServerError."""
    yield from require_ours("a dry run")
    body = {"Resources": list(identifiers), "DryRun": True}
    return (yield from post(f"/tools/bulk-{verb}", _fields(body, edits), DryRun))


def _submit(path: str, chosen: dict[str, Any], edits: Edits, priority: int) -> Flow[Submitted]:
    yield from _check(edits)
    body = chosen | {"Asynchronous": True, "Priority": priority}
    return (yield from post(path, _fields(body, edits), Submitted))


def _file(path: str, edits: Edits) -> Flow[bytes]:
    yield from _check(edits)
    body = msgspec.json.encode(edits)
    return (yield from Call("POST", path, bytes, body=body, headers=JSON))


def _check(edits: Edits) -> Flow[None]:
    if edits.needs_ours:
        yield from require_ours(" and ".join(edits.needs_ours))


def _fields(body: dict[str, Any], edits: Edits) -> dict[str, Any]:
    given: dict[str, Any] = msgspec.to_builtins(edits)
    return body | given
