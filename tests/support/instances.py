"""Instances for tests of the index alone, named by a path: one letter per level, the rest the
instance."""

from orthanc_fast.index.terms import Kind, Term
from orthanc_fast.model import Attachment, Level, NewInstance, Resource

PATIENT_ID, STUDY_UID, SERIES_UID, SOP_UID = 0x00100020, 0x0020000D, 0x0020000E, 0x00080018
TAGS = (PATIENT_ID, STUDY_UID, SERIES_UID, SOP_UID)


def public(path: str) -> bytes:
    """A 20-byte identifier from which a failing test shows the path."""
    return path.encode().rjust(20, b"\0")


def terms(resource: Resource) -> list[Term]:
    found = [(Kind.TAG, tag, value) for tag, value in resource.tags.items()]
    if resource.level == Level.SERIES:
        found += [(Kind.OF_CHILD, SERIES_UID, resource.tags[SERIES_UID][-1])]
    return found + [(Kind.LABEL, 0, label) for label in resource.labels]


def new_instance(
    path: str, size: int = 100, content: bytes = b"x" * 16, now: int = 1, overwrite: str = "Never"
) -> NewInstance:
    """ "abca" is instance a of series c of study b of patient a."""
    paths = (path[:1], path[:2], path[:3], path)
    attachment = Attachment(
        uuid=f"{path}-{now}-{size}",
        size=size,
        stored_size=size // 2,
        compressed=False,
        digest=content,
    )
    return NewInstance(
        publics=(public(paths[0]), public(paths[1]), public(paths[2]), public(paths[3])),
        tags=tuple({tag: part} for tag, part in zip(TAGS, paths, strict=True)),  # type: ignore[arg-type]
        metadata=({}, {}, {3: ""}, {2: str(now)}),
        signatures=("p", "s", "e", "i"),
        attachments={1: attachment},
        image=b"image",
        received=now,
        overwrite=overwrite,
    )
