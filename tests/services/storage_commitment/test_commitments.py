"""Requests for storage commitment as services make and answer them, on each kind of index, with a
peer of pynetdicom."""

import io
from collections.abc import Iterator

import pydicom
import pytest
from support import generated
from support.commitment_peer import PATIENCE, CommitmentPeer
from support.job_run import KeptRun
from support.small_store import USER, SmallStore

from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.errors import BadSequenceOfCalls, NetworkProtocol, UnknownResource
from orthanc_fast.model import Caller, Level
from orthanc_fast.runtime.memory import MemoryRuntime
from orthanc_fast.services.exchange.modalities import Modality
from orthanc_fast.services.retention.deletion import Deletion
from orthanc_fast.services.scu.associating import Associations
from orthanc_fast.services.storage_commitment.commitments import Commitments
from orthanc_fast.services.storage_commitment.reports import Reference, Reports
from orthanc_fast.services.storage_commitment.scp_job import CommitmentJob, submission

CALLER = Caller(origin="DicomProtocol", aet="PEER", called_aet="CALLED", address="127.0.0.1")


@pytest.fixture
def peer() -> Iterator[CommitmentPeer]:
    with CommitmentPeer().serving() as found:
        yield found


@pytest.fixture
def commitments(small_store: SmallStore) -> Commitments:
    return Commitments(
        Associations(small_store.settings),
        Reports(small_store.settings, MemoryRuntime()),
        small_store.reads,
        Deletion(small_store.writes),
    )


def modality(peer: CommitmentPeer) -> Modality:
    return Modality(aet="PEER", host="127.0.0.1", port=peer.port)


def reference(data: bytes) -> Reference:
    found = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
    return Reference(str(found.SOPClassUID), str(found.SOPInstanceUID))


def test_the_instances_of_resources(small_store: SmallStore, commitments: Commitments) -> None:
    files = [generated.small().number(1, 1, series, 1) for series in (1, 2)]
    publics = [small_store.put(data) for data in files]
    names = [to_text(publics[0][Level.STUDY]), to_text(publics[1][Level.INSTANCE])]
    found = commitments.references(USER, names)
    assert found == [*map(reference, files), reference(files[1])]
    assert commitments.references(USER, []) == []
    for unknown in ("x", to_text(b"x" * 20)):
        with pytest.raises(UnknownResource):
            commitments.references(USER, [names[0], unknown])


def test_a_request(commitments: Commitments, peer: CommitmentPeer) -> None:
    """The transaction is pending before the peer can report on it, also where it refuses."""
    target = commitments.associations.target(modality(peer))
    commitments.request(target, "1.1", iter([("1.2", "1.3")]))
    asked = peer.actions.get(timeout=PATIENCE)
    assert asked.information.TransactionUID == "1.1"
    assert commitments.reports.get(USER, "1.1").status == "Pending"
    peer.status = 0x0110
    with pytest.raises(NetworkProtocol, match="cannot be handled by remote AET: PEER"):
        commitments.request(target, "1.2", [])
    assert commitments.reports.get(USER, "1.2").status == "Pending"


def test_removal(small_store: SmallStore, commitments: Commitments) -> None:
    files = [generated.small().number(1, 1, 1, instance) for instance in (1, 2)]
    publics = [small_store.put(data)[Level.INSTANCE] for data in files]
    asked = [reference(files[0]), Reference("1.2", "1.3")]
    commitments.reports.begin(USER, "1.1", "PEER", asked)
    with pytest.raises(BadSequenceOfCalls, match=r"transaction: 1\.1"):
        small_store.run(commitments.remove(USER, "1.1"))
    for uid in ("1.1", "9.9"):  # the other one is none of ours
        commitments.reports.complete(USER, uid, "PEER", [*map(reference, files)], [])
    with pytest.raises(BadSequenceOfCalls, match=r"has not asked .*: 9\.9"):
        small_store.run(commitments.remove(USER, "9.9"))
    small_store.run(commitments.remove(USER, "1.1"))
    left = [small_store.resource(Level.INSTANCE, public) is not None for public in publics]
    assert left == [False, True]


def test_what_is_told(small_store: SmallStore, peer: CommitmentPeer) -> None:
    """Of more instances than are looked up at once; one that two patients have counts for none."""
    files = [generated.small().number(1, 1, 1, instance) for instance in range(1, 120)]
    for data in files:
        small_store.put(data)
    twice = generated.small().number(1, 1, 1, 1).replace(b"PATIENT0000000001", b"PATIENT0000000002")
    small_store.put(twice)
    asked = [*map(reference, files), Reference("1.2", reference(files[5]).sop_instance)]
    asked.append(Reference(asked[0].sop_class, "1.2.3"))
    job = CommitmentJob(small_store.reads, Associations(small_store.settings))
    submitted = submission(CALLER, modality(peer), "1.1", asked)
    assert submitted.content["RemoteAet"] == "PEER"
    run = KeptRun(submitted.payload)
    job.run(run)
    assert run.steps[-1] == (len(asked) + 1, len(asked) + 2)
    told = peer.events.get(timeout=PATIENCE)
    failed = [
        (each.ReferencedSOPInstanceUID, each.FailureReason)
        for each in told.information.FailedSOPSequence
    ]
    assert failed == [
        (asked[0].sop_instance, 0x0112),
        (asked[5].sop_instance, 0x0119),
        ("1.2.3", 0x0112),
    ]
    kept = [each.ReferencedSOPInstanceUID for each in told.information.ReferencedSOPSequence]
    assert kept == [each.sop_instance for each in asked[1:119]]
    assert (told.kind, told.calling, told.called) == (2, "CALLED", "PEER")
    job.run(run)  # another worker after the first one's death tells the same
    assert peer.events.get(timeout=PATIENCE).information == told.information
