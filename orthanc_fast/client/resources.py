"""Calls that list, find, describe, label and delete what is stored, and send single files."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from orthanc_fast.client.answers import (
    FOLDERS,
    LEVELS,
    Change,
    Changes,
    Level,
    Match,
    Resource,
    Size,
    Stored,
)
from orthanc_fast.client.call import JSON, Call, Flow, decoder, get, nothing, post
from orthanc_fast.client.errors import ServerError

LabelsConstraint = Literal["All", "Any", "None"]


def address(level: Level, identifier: str, *more: str) -> str:
    """The path of a resource, or of something of it."""
    return "/" + "/".join(quote(part, safe="") for part in (FOLDERS[level], identifier, *more))


def _below(level: Level, above: Level | None, parent: str | None) -> Call[list[str]]:
    if above is None or parent is None:
        return get(f"/{FOLDERS[level]}", list[str])

    read = decoder(Resource)

    def names(body: bytes) -> list[str]:
        resource = read(body)
        return {"Study": resource.studies, "Series": resource.series}.get(level, resource.instances)

    return Call("GET", address(above, parent), names)


def patients() -> Call[list[str]]:
    """The identifiers of all patients."""
    return _below("Patient", None, None)


def studies(patient: str | None = None) -> Call[list[str]]:
    """The identifiers of all studies, or those of a patient."""
    return _below("Study", "Patient", patient)


def series(study: str | None = None) -> Call[list[str]]:
    """The identifiers of all series, or those of a study."""
    return _below("Series", "Study", study)


def instances(series: str | None = None) -> Call[list[str]]:
    """The identifiers of all instances, or those of a series."""
    return _below("Instance", "Series", series)


def resource(level: Level, identifier: str, requested_tags: Sequence[str] = ()) -> Call[Resource]:
    """One resource by its identifier of Orthanc."""
    wanted = ";".join(requested_tags) or None
    path = address(level, identifier)
    return Call("GET", path, decoder(Resource), arguments={"requested-tags": wanted})


def members(level: Level, identifier: str) -> Call[list[Resource]]:
    """The instances of a patient, study or series."""
    return get(address(level, identifier, "instances"), list[Resource], expand="")


def find(
    level: Level,
    query: Mapping[str, str] | None = None,
    *,
    limit: int = 0,
    since: int = 0,
    order_by: Sequence[str] = (),
    requested_tags: Sequence[str] = (),
    labels: Sequence[str] = (),
    labels_constraint: LabelsConstraint = "All",
    case_sensitive: bool = False,
) -> Call[list[Resource]]:
    """The resources of a level that match a query: `find("Series", {"Modality": "CT"})`. Values
    may have `*` and `?`, lists separated by backslashes, and ranges of dates. Entries of `order_by`
    are tags, or metadata as `metadata:LastUpdate`, with a `-` in front for the greatest first.
    `limit` 0 is all; `since` leaves out the first ones. Ordering is not known to Orthanc before
    1.12.5."""
    body: dict[str, Any] = {
        "Level": level,
        "Query": dict(query or {}),
        "Expand": True,
        "Limit": limit,
        "Since": since,
        "CaseSensitive": case_sensitive,
    }
    if order_by:
        body["OrderBy"] = [_order(name) for name in order_by]
    if requested_tags:
        body["RequestedTags"] = list(requested_tags)
    if labels:
        body |= {"Labels": list(labels), "LabelsConstraint": labels_constraint}
    return post("/tools/find", body, list[Resource])


def _order(name: str) -> dict[str, str]:
    key = name.removeprefix("-")
    is_metadata = key.startswith("metadata:")
    return {
        "Type": "Metadata" if is_metadata else "DicomTag",
        "Key": key.removeprefix("metadata:"),
        "Direction": "DESC" if name.startswith("-") else "ASC",
    }


def count(
    level: Level,
    query: Mapping[str, str] | None = None,
    *,
    labels: Sequence[str] = (),
    labels_constraint: LabelsConstraint = "All",
) -> Call[int]:
    """How many resources `find` would give, whatever the case of letters."""
    body: dict[str, Any] = {"Level": level, "Query": dict(query or {})}
    if labels:
        body |= {"Labels": list(labels), "LabelsConstraint": labels_constraint}
    read = decoder(dict[str, int])
    encoded = msgspec.json.encode(body)
    return Call(
        "POST",
        "/tools/count-resources",
        lambda answer: read(answer)["Count"],
        body=encoded,
        headers=JSON,
    )


def lookup(identifier: str) -> Call[list[Match]]:
    """What a PatientID or a UID of DICOM names."""
    return Call("POST", "/tools/lookup", decoder(list[Match]), body=identifier.encode())


def identify(identifier: str, level: Level | None = None) -> Flow[Resource]:
    """The resource that an identifier names: Orthanc's, a UID or a PatientID.
    Raises ServerError with status 404 where there is none, and 300 where there are several;
    `level` says which is meant."""
    wanted = LEVELS if level is None else (level,)
    if _is_orthancs(identifier):
        for each in wanted:
            try:
                return (yield from resource(each, identifier))
            except ServerError as error:
                if error.status != 404:
                    raise
        matches = []
    else:
        matches = [match for match in (yield from lookup(identifier)) if match.type in wanted]
    if not matches:
        what = "resource" if level is None else level.lower()
        raise ServerError(404, f"there is no {what} {identifier!r}: `find` lists what is there")
    if len(matches) > 1:
        names = ", ".join(f"{match.type.lower()} {match.id}" for match in matches)
        raise ServerError(300, f"{identifier!r} names several, give the level or one of: {names}")
    return (yield from resource(matches[0].type, matches[0].id))


def _is_orthancs(identifier: str) -> bool:
    parts = identifier.split("-")
    return [len(part) for part in parts] == [8] * 5 and all(
        character in "0123456789abcdef" for part in parts for character in part
    )


def tags(instance: str) -> Call[dict[str, Any]]:
    """All tags of an instance by name; of sequences lists."""
    return get(address("Instance", instance, "simplified-tags"), dict[str, Any])


def size(level: Level, identifier: str) -> Call[Size]:
    """What a resource takes, and how much is below it."""
    return get(address(level, identifier, "statistics"), Size)


def delete(level: Level, identifier: str) -> Call[None]:
    """Deletes a resource with all that is below it, and above it what would be empty."""
    return Call("DELETE", address(level, identifier), nothing)


def store(file: bytes) -> Call[Stored]:
    """Sends one DICOM file; `upload` sends files, folders and archives."""
    headers = {"Content-Type": "application/dicom"}
    return Call("POST", "/instances", decoder(Stored), body=file, headers=headers)


# Labels and metadata


def all_labels() -> Call[list[str]]:
    """Those that anything has."""
    return get("/tools/labels", list[str])


def labels(level: Level, identifier: str) -> Call[list[str]]:
    """The labels of a resource."""
    return get(address(level, identifier, "labels"), list[str])


def add_label(level: Level, identifier: str, label: str) -> Call[None]:
    """Gives a resource a label; that it has it already is no error."""
    return Call("PUT", address(level, identifier, "labels", label), nothing, body=b"")


def remove_label(level: Level, identifier: str, label: str) -> Call[None]:
    """Takes a label from a resource; that it has it not is no error."""
    return Call("DELETE", address(level, identifier, "labels", label), nothing)


def metadata(level: Level, identifier: str) -> Call[dict[str, str]]:
    """All metadata of a resource by name."""
    return get(address(level, identifier, "metadata"), dict[str, str], expand="")


def set_metadata(level: Level, identifier: str, name: str, value: str) -> Call[None]:
    """Sets user metadata: a number from 1024 on, or a name of the option UserMetadata."""
    path = address(level, identifier, "metadata", name)
    return Call("PUT", path, nothing, body=value.encode())


def remove_metadata(level: Level, identifier: str, name: str) -> Call[None]:
    """Removes user metadata."""
    return Call("DELETE", address(level, identifier, "metadata", name), nothing)


def protect(patient: str, protected: bool = True) -> Call[None]:
    """Keeps a patient from being recycled, or lets it be."""
    path = address("Patient", patient, "protected")
    return Call("PUT", path, nothing, body=b"1" if protected else b"0")


# Changes


def changes(since: int = 0, *, limit: int = 100, wait: float | None = None) -> Call[Changes]:
    """The changes after the one numbered `since`, the oldest first. With `wait` the answer comes
    when there is one, or after so many seconds; Orthanc does not know it, and answers at once."""
    return get("/changes", Changes, since=since, limit=limit, wait=wait)


def all_changes(since: int = 0) -> Flow[list[Change]]:
    """All changes after the one numbered `since`, as far as they have come."""
    found: list[Change] = []
    while True:
        part = yield from changes(since, limit=1000)
        found += part.changes
        if part.done or not part.changes:
            return found
        since = part.last
