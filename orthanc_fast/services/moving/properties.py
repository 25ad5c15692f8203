"""What the index of an Orthanc keeps for the whole server, and where it goes here."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from orthanc_fast.errors import OrthancError
from orthanc_fast.index.contract import Builder
from orthanc_fast.orthanc_store.model import (
    ANONYMIZATION_SEQUENCE,
    FIRST_OF_PLUGINS,
    JOBS_REGISTRY,
    MODALITIES,
    PEERS,
    Source,
)
from orthanc_fast.services.exchange.modalities import parse_modality
from orthanc_fast.services.exchange.modality_registry import ModalityRegistry
from orthanc_fast.services.key_values import global_properties, queues, stores
from orthanc_fast.services.modification.modification import COUNTER as ANONYMIZATIONS
from orthanc_fast.services.moving.report import Finding
from orthanc_fast.services.peers.peer import parse_peer
from orthanc_fast.services.peers.registry import PeerRegistry

_ENDED = ("Success", "Failure")


class Properties:
    """Puts them into a new index; `findings` tells what was not taken over."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder
        self.findings: list[Finding] = []
        self.count = 0

    def take(self, source: Source, properties: Mapping[int, str]) -> None:
        """Modalities and peers that are kept in the database, properties of plugins, key-value
        stores, queues, and the number of the last pseudonym. What Orthanc counts and caches in
        properties of its own is not needed here; its jobs cannot go on here."""
        self._servers(properties.get(MODALITIES, ""), ModalityRegistry.plural, parse_modality)
        self._servers(properties.get(PEERS, ""), PeerRegistry.plural, parse_peer)
        for number, value in properties.items():
            if number >= FIRST_OF_PLUGINS:
                self._set(f"{global_properties.PREFIX}{number}", value.encode())
        pseudonyms = properties.get(ANONYMIZATION_SEQUENCE, "")
        if pseudonyms.isdecimal():
            self._set(ANONYMIZATIONS, pseudonyms.encode())
        self._check_jobs(properties.get(JOBS_REGISTRY, ""))
        for values in source.key_values():
            for each in values:
                self._builder.set_property(*stores.named(each.store))
                self._set(*stores.stored(each.store, each.key, each.value))
        for name, entry in queues.stored(_queued(source)):
            self._set(name, entry)

    def _set(self, name: str, value: bytes) -> None:
        self._builder.set_property(name, value)
        self.count += 1

    def _servers(self, text: str, name: str, parse: Callable[[str, Any], Any]) -> None:
        if not text:
            return
        found = {}
        lost = Finding("not taken over", f"entries of {name} that cannot be read")
        try:
            entries = msgspec.json.decode(text, type=dict[str, Any])
        except (msgspec.DecodeError, msgspec.ValidationError):
            lost.add(text[:100])
            entries = {}
        for key, value in entries.items():
            try:
                found[key] = parse(key, value)
            except OrthancError as error:
                lost.add(f"{key}: {error.details}")
        if lost.count:
            self.findings.append(lost)
        if found:
            self._set(name, msgspec.json.encode(found))

    def _check_jobs(self, text: str) -> None:
        lost = Finding("not taken over", "jobs that had not ended: submit them again")
        try:
            jobs = msgspec.json.decode(text or "{}").get("Jobs", {})
            for key, job in jobs.items():
                if job.get("State") not in _ENDED:
                    lost.add(key)
        except (msgspec.DecodeError, AttributeError):
            lost.add("the list of jobs cannot be read")
        if lost.count:
            self.findings.append(lost)


def _queued(source: Source) -> Iterator[tuple[str, bytes]]:
    for values in source.queues():
        for each in values:
            yield each.queue, each.value
