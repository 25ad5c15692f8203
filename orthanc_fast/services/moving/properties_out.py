"""What our index keeps for the whole server and Orthanc has a place for: the way back of
`properties.py`."""

from typing import Any

import msgspec

from orthanc_fast.index.contract import Snapshot
from orthanc_fast.orthanc_store.model import (
    ANONYMIZATION_SEQUENCE,
    FIRST_OF_PLUGINS,
    MODALITIES,
    PEERS,
    Queued,
    StoredValue,
)
from orthanc_fast.orthanc_store.sqlite_writer import SqliteWriter
from orthanc_fast.services.exchange.modality_registry import ModalityRegistry
from orthanc_fast.services.key_values import global_properties, queues, stores
from orthanc_fast.services.modification.modification import COUNTER as ANONYMIZATIONS
from orthanc_fast.services.moving.not_held import lost, properties_of
from orthanc_fast.services.moving.report import Finding
from orthanc_fast.services.peers.peer import Peer
from orthanc_fast.services.peers.registry import PeerRegistry


def write_properties(view: Snapshot, writer: SqliteWriter | None) -> int:
    """Modalities and peers that are kept in the index, properties of scripts, and the number of the
    last pseudonym, into an index if there is one; how many there are."""
    found: dict[int, bytes] = {}
    modalities = view.property(ModalityRegistry.plural)
    if modalities is not None:
        found[MODALITIES] = modalities  # kept as Orthanc does
    peers = view.property(PeerRegistry.plural)
    if peers is not None:
        known: dict[str, Peer] = msgspec.json.decode(peers, type=PeerRegistry.table)
        written = {name: _written(peer) for name, peer in known.items()}
        found[PEERS] = msgspec.json.encode(written)
    counter = view.property(ANONYMIZATIONS)
    if counter is not None:
        found[ANONYMIZATION_SEQUENCE] = counter
    for name, value in properties_of(view, global_properties.PREFIX):
        number = int(name.removeprefix(global_properties.PREFIX))
        if number >= FIRST_OF_PLUGINS:
            found[number] = value
    if writer is not None:
        for number, value in found.items():
            writer.set_property(number, value)
    return len(found)


def write_values(view: Snapshot, writer: SqliteWriter | None) -> tuple[int, list[Finding]]:
    """Key-value stores and queues, into an index if there is one; how many values there are, and
    those of stores and queues whose names an earlier version of this server has not kept."""
    count = 0
    strays = [lost(f"values of {what} whose name was not kept") for what in ("stores", "queues")]
    for store, key, value in stores.read_all(view):
        if store is None:
            strays[0].add(key)
            continue
        count += 1
        if writer is not None:
            writer.add_values([StoredValue(store, key, value)])
    for queue, value in queues.read_all(view):
        if queue is None:
            strays[1].count += 1
            continue
        count += 1
        if writer is not None:
            writer.add_queued([Queued(queue, 0, value)])
    return count, [each for each in strays if each.count]


def _written(peer: Peer) -> Any:
    """With its secrets, in the short format where that can say it."""
    if not peer.is_advanced:
        return [peer.url, peer.username, peer.password] if peer.username else [peer.url]
    found: dict[str, Any] = dict(peer.properties)
    found |= {"Url": peer.url, "Timeout": peer.timeout, "Pkcs11": peer.pkcs11}
    found["HttpHeaders"] = peer.headers
    if peer.username:
        found |= {"Username": peer.username, "Password": peer.password}
    if peer.certificate is not None:
        found["CertificateFile"] = peer.certificate.file
        found["CertificateKeyFile"] = peer.certificate.key
        found["CertificateKeyPassword"] = peer.certificate.password
    return found
