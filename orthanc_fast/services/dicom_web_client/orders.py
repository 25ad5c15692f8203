"""Jobs that transfer instances to and from servers of DICOMweb, before they run. Source: reference
chapter 5, section 11.2."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from orthanc_fast.dicom.identifiers import from_text, to_text
from orthanc_fast.errors import UnknownResource
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.index.packed import unpack
from orthanc_fast.model import SHA1, Caller, Level, Resource
from orthanc_fast.services.dicom_web_client.server import Server
from orthanc_fast.services.exchange.instances import Chosen, instances_below
from orthanc_fast.services.jobs.contract import Submission
from orthanc_fast.services.store.lookup import records_of_any_level
from orthanc_fast.services.store.reads import Reads

STOW: Final = "DicomWebStowClient"
RETRIEVE: Final = "DicomWebWadoRetrieveClient"

_PLURALS: Final = {
    Level.PATIENT: "Patients",
    Level.STUDY: "Studies",
    Level.SERIES: "Series",
    Level.INSTANCE: "Instances",
}


class StowOrder(msgspec.Struct, frozen=True, kw_only=True):
    """The payload of a job that sends. `server` is as it was at the submission; `instances` are
    packed, in the order in which they are sent."""

    name: str
    server: Server
    headers: dict[str, str]
    instances: bytes

    @property
    def count(self) -> int:
        return len(self.instances) // SHA1


class Wanted(msgspec.Struct, frozen=True):
    """What is to be retrieved: an address below that of the server. Of a study and a series the
    UIDs are known; then what is missing of it can be asked for."""

    uri: str
    study: str = ""
    series: str = ""


class RetrieveOrder(msgspec.Struct, frozen=True, kw_only=True):
    """The payload of a job that retrieves."""

    name: str
    server: Server
    headers: dict[str, str]
    arguments: dict[str, str]
    wanted: tuple[Wanted, ...]


encode_order = msgspec.msgpack.Encoder().encode
decode_stow_order = msgspec.msgpack.Decoder(StowOrder).decode
decode_retrieve_order = msgspec.msgpack.Decoder(RetrieveOrder).decode


def chosen(reads: Reads, caller: Caller, names: Sequence[str]) -> Chosen:
    """The resources of any level with these identifiers, in their order. Raises UnknownResource."""
    publics = [from_text(name) for name in names]

    def read(view: Snapshot) -> Chosen:
        known = records_of_any_level(view, [each for each in publics if each is not None])
        if len(known) < len(publics):
            raise UnknownResource
        return Chosen(known, instances_below(view, known))

    return reads(caller, read)


def stow_submission(order: StowOrder, resources: Sequence[Resource], priority: int) -> Submission:
    """The job that sends."""
    named: dict[str, list[str]] = {}
    for resource in resources:
        if resource.level != Level.INSTANCE:
            named.setdefault(_PLURALS[resource.level], []).append(to_text(resource.public))
    if order.count:
        named["Instances"] = [to_text(public) for public in unpack(order.instances)]
    content: dict[str, Any] = {
        "InstancesCount": str(order.count),
        "Resources": named or None,
        "Server": order.name,
    }
    return Submission(kind=STOW, payload=encode_order(order), content=content, priority=priority)


def retrieve_submission(order: RetrieveOrder, priority: int) -> Submission:
    """The job that retrieves."""
    content: Mapping[str, Any] = {}
    return Submission(
        kind=RETRIEVE, payload=encode_order(order), content=content, priority=priority
    )
