"""What a retrieve job is asked, and what it tells of it. Source: reference chapter 4, section
5.6."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from orthanc_fast.dicom.dictionary import Dictionary, tag_text
from orthanc_fast.dicom.tag_json import Format, named_tags
from orthanc_fast.errors import BadRequest
from orthanc_fast.model import Level
from orthanc_fast.services.exchange.modalities import Modality
from orthanc_fast.services.jobs.contract import Submission
from orthanc_fast.services.scu.normalisation import (
    ACCESSION_NUMBER,
    LEVELS,
    PATIENT_ID,
    QUERY_RETRIEVE_LEVEL,
    SERIES_UID,
    SOP_INSTANCE_UID,
    STUDY_UID,
)

MOVE_JOB: Final = "DicomMoveScu"
GET_JOB: Final = "DicomGetScu"

MEDIA_STORAGE_SOP_INSTANCE_UID: Final = 0x00020003
_META_GROUP: Final = 0x0002

# What identifies a resource of each level, from the top down.
KEYS: Final = {
    Level.PATIENT: (PATIENT_ID,),
    Level.STUDY: (STUDY_UID,),
    Level.SERIES: (STUDY_UID, SERIES_UID),
    Level.INSTANCE: (STUDY_UID, SERIES_UID, SOP_INSTANCE_UID),
}
# What clients see of an answer that is retrieved.
SHOWN: Final = frozenset(
    {
        *(ACCESSION_NUMBER, PATIENT_ID, STUDY_UID, SERIES_UID, SOP_INSTANCE_UID),
        *(MEDIA_STORAGE_SOP_INSTANCE_UID, QUERY_RETRIEVE_LEVEL),
    }
)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """One resource of the peer. `tags` are what clients see of it, the level among them. Where
    they come from an answer of the peer (`is_found`) and not from a client, only what identifies
    the resource is sent; `sop_classes` and `modalities` are those that the answer names."""

    level: Level
    tags: dict[int, str]
    is_found: bool
    sop_classes: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()

    def unique_keys(self) -> dict[int, str]:
        """The identifier that says which resource it is, and nothing else. Raises BadRequest."""
        found = {QUERY_RETRIEVE_LEVEL: LEVELS[self.level]}
        for tag in KEYS[self.level]:
            if tag not in self.tags:
                raise BadRequest(f"Missing tag {tag_text(tag)}")
            found[tag] = self.tags[tag]
        return found

    def get_keys(self) -> dict[int, str]:
        """The identifier of a C-GET."""
        if self.is_found:
            keys = (QUERY_RETRIEVE_LEVEL, *KEYS[self.level])
            return {tag: self.tags[tag] for tag in keys if tag in self.tags}
        return {tag: value for tag, value in self.tags.items() if tag >> 16 > _META_GROUP}

    def short_tags(self) -> dict[str, str]:
        """Its tags in the short format."""
        return {tag_text(tag): value for tag, value in sorted(self.tags.items())}


class Detail(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What became of one resource. `failed` are SOP Instance UIDs, where the peer names them."""

    status: int = msgspec.field(name="DimseErrorStatus")
    query: dict[str, str] = msgspec.field(name="Query")
    failed: list[str] = msgspec.field(name="FailedInstancesUids", default_factory=list)
    received: list[str] = msgspec.field(name="ReceivedInstancesIds")


class Memory(msgspec.Struct):
    """What a job remembers: how many resources are done, and what has become of them."""

    done: int
    details: list[Detail]


class RetrieveOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Resources of one modality, as it was when they were asked for. `target` is the title that a
    C-MOVE names, None for a C-GET; `timeout` are seconds, None where the caller gave none."""

    modality: Modality
    local_aet: str
    target: str | None
    timeout: int | None
    permissive: bool
    wanted: tuple[Wanted, ...]

    def details(self) -> list[Detail]:
        """What has become of the resources before anything is retrieved."""
        return [Detail(status=0, query=each.short_tags(), received=[]) for each in self.wanted]

    @property
    def kind(self) -> str:
        """The type of the job."""
        return GET_JOB if self.target is None else MOVE_JOB

    def content(self, description: str, form: Format, dictionary: Dictionary) -> dict[str, Any]:
        """What clients see before anything is retrieved."""
        content: dict[str, Any] = {
            "Description": description,
            "Details": self.details(),
            "LocalAet": self.local_aet,
            "Query": [named_tags(each.tags, form, dictionary) for each in self.wanted],
            "RemoteAet": self.modality.aet,
        }
        if self.target is not None:
            content["TargetAet"] = self.target
        return content

    def submission(
        self, content: Mapping[str, Any], priority: int, user_data: msgspec.Raw | None
    ) -> Submission:
        """The job."""
        return Submission(
            kind=self.kind,
            payload=_encode(self),
            content=content,
            priority=priority,
            user_data=user_data,
        )


_encode = msgspec.msgpack.Encoder().encode
encode_order = _encode
decode_order = msgspec.msgpack.Decoder(RetrieveOrder).decode
decode_memory = msgspec.msgpack.Decoder(Memory).decode
encode_memory = _encode
