"""The job that sends to a modality: what it tells, and where it goes on."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.sink import Misbehaviour, Sink, Taken
from support.small_jobs import SmallJobs
from support.small_sender import ct, modality
from support.small_store import USER

from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.model import Level
from orthanc_fast.services.retention.deletion import Deletion
from orthanc_fast.services.scu.associating import Associations
from orthanc_fast.services.scu.sending import Senders
from orthanc_fast.services.scu.store_job import StoreJob
from orthanc_fast.services.scu.store_orders import KIND, JobOptions, StoreOrder, submission
from orthanc_fast.upper_layer import pdu
from orthanc_fast.upper_layer.negotiation import LOCAL_LIMIT_EXCEEDED, Agreement, Rejection

pytestmark = pytest.mark.usefixtures("nothing_is_left")

COUNT = 30


class SendingJobs(SmallJobs):
    """Jobs that send the first instances of a store; `commits` are the requests of storage
    commitment."""

    def __init__(self, folder: Path, **given: Any) -> None:
        super().__init__(folder, **given)
        store = self.store
        associations = Associations(store.settings)
        senders = Senders(store.settings, associations, store.storage, store.dictionary)
        self.commits: list[tuple[str, str, list[tuple[str, str]]]] = []

        def commit(
            target: Any, transaction: str, references: Iterator[tuple[str, str]], watch: object
        ) -> None:
            self.commits.append((target.called, transaction, list(references)))

        self.kinds = {
            KIND: lambda: StoreJob(store.settings, store.reads, associations, senders, commit)
        }
        self.publics = [store.put(ct(number))[Level.INSTANCE] for number in range(COUNT)]

    def send(self, port: int, count: int = COUNT, **given: Any) -> str:
        order = StoreOrder(
            modality=modality(port),
            instances=b"".join(self.publics[:count]),
            local_aet="ORTHANC",
            **{"timeout": 5, **given},
        )
        job = submission(order, {}, JobOptions(description="test"))
        return self.store.run(self.jobs.submit(USER, job))


Make = Callable[..., SendingJobs]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[SendingJobs] = []

    def new(**given: Any) -> SendingJobs:
        made.append(SendingJobs(tmp_path, **given))
        return made[-1]

    yield new
    for each in made:
        each.close()


class Gate:
    """Answers so many instances, then waits until the test says what comes."""

    def __init__(self, count: int, answer: int = 0) -> None:
        self._left = count
        self._answer = answer
        self.reached, self.go = threading.Event(), threading.Event()

    def __call__(self, taken: Taken) -> int:
        self._left -= 1
        if self._left < 0:
            self.reached.set()
            assert self.go.wait(20)
        return self._answer


def numbers(taken: list[Taken]) -> list[int]:
    return [int(each.sop_instance[-9:]) for each in taken]


def test_all_are_sent_over_one_association(make: Make) -> None:
    jobs = make()
    with Sink() as sink:
        jobs.start()
        job = jobs.send(sink.port, originator=("MOVER", 3), commitment="2.25.1")
        found = jobs.wait(job)
    assert found.State == "Success"
    assert found.Progress == 100
    assert jobs.content(job) == {
        "Description": "test",
        "FailedInstancesCount": 0,
        "InstancesCount": COUNT,
        "LocalAet": "ORTHANC",
        "MoveOriginatorAET": "MOVER",
        "MoveOriginatorID": 3,
        "RemoteAet": "SINK",
        "StorageCommitmentTransactionUID": "2.25.1",
    }
    assert numbers(sink.taken) == list(range(COUNT))
    assert sink.ends == ["release"]
    references = [(each.sop_class, each.sop_instance) for each in sink.taken]
    assert jobs.commits == [("SINK", "2.25.1", references)]


def test_as_many_associations_as_the_option_allows(make: Make) -> None:
    jobs = make(dicom_scu_associations_count=3)
    together = threading.Barrier(3)

    def status(taken: Taken) -> int:
        with suppress(threading.BrokenBarrierError):
            together.wait(20)
        return 0

    with Sink(status=status) as sink:
        jobs.start()
        found = jobs.wait(jobs.send(sink.port))
        together.abort()
    assert found.State == "Success"
    assert sorted(numbers(sink.taken)) == list(range(COUNT))
    assert sink.ends == 3 * ["release"]


class OneAtATime(Sink):
    """Rejects every association but the first; `rejected` tells when it has done so twice."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.rejections = 0
        self.rejected = threading.Event()
        self._guard = threading.Lock()

    def _negotiate(self, request: pdu.Request) -> Agreement | Rejection:
        with self._guard:
            answer = super()._negotiate(request)
            if len(self.requests) == 1:
                return answer
            self.rejections += 1
            if self.rejections == 2:
                self.rejected.set()
            return Rejection(LOCAL_LIMIT_EXCEEDED, "one at a time")


def test_a_modality_that_takes_fewer_associations(make: Make) -> None:
    """What the rejected ones would have sent goes over the one that there is."""
    jobs = make(dicom_scu_associations_count=3)

    def status(taken: Taken) -> int:
        assert sink.rejected.wait(20)
        time.sleep(0.02)
        return 0

    sink = OneAtATime(status=status)
    with sink:
        jobs.start()
        job = jobs.send(sink.port)
        found = jobs.wait(job)
    assert (found.State, found.ErrorDetails) == ("Success", "")
    assert sorted(numbers(sink.taken)) == list(range(COUNT))
    assert jobs.content(job)["FailedInstancesCount"] == 0


@pytest.mark.parametrize("is_permissive", [False, True])
def test_a_modality_that_takes_no_association(make: Make, is_permissive: bool) -> None:
    """However many are wished, the error is that of one."""
    jobs = make(dicom_scu_associations_count=3)
    with Sink(rejects=True) as sink:
        jobs.start()
        job = jobs.send(sink.port, count=5, permissive=is_permissive)
        found = jobs.wait(job)
    assert found.State == ("Success" if is_permissive else "Failure")
    assert jobs.content(job)["FailedInstancesCount"] == (5 if is_permissive else 1)


@pytest.mark.parametrize("associations", [1, 3])
def test_the_first_failure_ends_the_job(make: Make, associations: int) -> None:
    jobs = make(dicom_scu_associations_count=associations)
    with Sink(status=lambda taken: 0xA700 if taken.sop_instance.endswith("5") else 0) as sink:
        jobs.start()
        job = jobs.send(sink.port, commitment="2.25.1")
        found = jobs.wait(job)
    assert (found.State, found.ErrorCode) == ("Failure", 9)
    assert found.ErrorDetails == 'C-STORE SCU to AET "SINK" has failed with DIMSE status 0xA700'
    assert found.ErrorPayload is not None
    payload = {"Content": {"DimseErrorStatus": 0xA700}, "Type": "Dimse"}
    assert msgspec.json.decode(found.ErrorPayload) == payload
    content = jobs.content(job)
    assert {each["ID"] for each in content["FailedInstances"]} <= {
        to_text(jobs.publics[number]) for number in (5, 15, 25)
    }
    assert content["FailedInstancesCount"] == len(content["FailedInstances"])
    assert len(sink.taken) < COUNT
    assert not jobs.commits


def test_a_permissive_job_goes_on_and_tells_what_failed(make: Make) -> None:
    jobs = make()

    def status(taken: Taken) -> int:
        number = int(taken.sop_instance[-2:])
        if number == 7:
            raise Misbehaviour("abort")
        return 0xC000 if number == 9 else 0

    with Sink(status=status) as sink:
        gone = jobs.publics[3]
        jobs.store.run(Deletion(jobs.store.writes).delete(USER, Level.INSTANCE, gone))
        jobs.start()
        job = jobs.send(sink.port, permissive=True, commitment="2.25.1")
        found = jobs.wait(job)
    assert (found.State, found.Progress) == ("Success", 100)
    content = jobs.content(job)
    assert content["FailedInstancesCount"] == 3
    assert content["FailedInstances"] == [
        {
            "ID": to_text(gone),
            "ErrorCode": 17,
            "ErrorDetails": "the instance has been deleted",
        },
        {
            "ID": to_text(jobs.publics[7]),
            "ErrorCode": 9,
            "ErrorDetails": 'DicomAssociation - C-STORE to AET "SINK": Peer aborted Association '
            "(or never connected)",
        },
        {
            "ID": to_text(jobs.publics[9]),
            "ErrorCode": 9,
            "ErrorDetails": 'C-STORE SCU to AET "SINK" has failed with DIMSE status 0xC000',
            "DimseErrorStatus": 0xC000,
        },
    ]
    assert numbers(sink.taken) == [number for number in range(COUNT) if number != 3]
    assert not jobs.commits


def test_what_is_deleted_meanwhile_is_left_out(make: Make) -> None:
    jobs = make()
    gone = jobs.publics[3]
    jobs.store.run(Deletion(jobs.store.writes).delete(USER, Level.INSTANCE, gone))
    with Sink() as sink:
        jobs.start()
        job = jobs.send(sink.port)
        assert jobs.wait(job).State == "Success"
    content = jobs.content(job)
    assert content["FailedInstancesCount"] == 1
    assert [each["ID"] for each in content["FailedInstances"]] == [to_text(gone)]
    assert len(sink.taken) == COUNT - 1


def test_no_association_at_all(make: Make) -> None:
    jobs = make()
    with Sink(rejects=True) as sink:
        jobs.start()
        job = jobs.send(sink.port, count=3, permissive=True)
        assert jobs.wait(job).State == "Success"
        assert jobs.content(job)["FailedInstancesCount"] == 3
        job = jobs.send(sink.port, count=3)
        assert jobs.wait(job).ErrorDetails.endswith("DUL Association Rejected")


@pytest.mark.parametrize("associations", [1, 3])
def test_a_paused_job_goes_on_with_what_was_not_sent(make: Make, associations: int) -> None:
    jobs = make(dicom_scu_associations_count=associations)
    gate = Gate(10)
    with Sink(status=gate) as sink:
        jobs.start()
        job = jobs.send(sink.port)
        assert gate.reached.wait(20)
        jobs.store.run(jobs.jobs.pause(USER, job))
        gate.go.set()
        jobs.wait(job, "Paused")
        before = len(sink.taken)
        assert before < COUNT
        jobs.store.run(jobs.jobs.resume(USER, job))
        assert jobs.wait(job).State == "Success"
    assert sorted(numbers(sink.taken)) == list(range(COUNT))
    # One that comes late may find nothing left to send.
    assert 2 <= len(sink.ends) <= 2 * associations
    assert set(sink.ends) == {"release"}


def test_a_restart_of_the_server(make: Make) -> None:
    jobs = make()
    gate = Gate(10)
    with Sink(status=gate) as sink:
        jobs.start()
        job = jobs.send(sink.port)
        assert gate.reached.wait(20)
        threading.Timer(0.1, gate.go.set).start()
        jobs.restart()
        before = len(sink.taken)
        assert before < COUNT
        jobs.start()
        assert jobs.wait(job).State == "Success"
    assert numbers(sink.taken) == list(range(COUNT))


def test_a_cancelled_job(make: Make) -> None:
    jobs = make()
    gate = Gate(10)
    with Sink(status=gate) as sink:
        jobs.start()
        job = jobs.send(sink.port)
        assert gate.reached.wait(20)
        jobs.store.run(jobs.jobs.cancel(USER, job))
        gate.go.set()
        found = jobs.wait(job)
    assert (found.State, found.ErrorCode) == ("Failure", 37)
    assert len(sink.taken) == 11
    assert sink.ends == ["release"]


def test_a_job_is_cancelled_or_paused_while_its_peer_is_silent(make: Make) -> None:
    jobs = make()
    silent = threading.Event()

    def status(taken: Taken) -> int:
        silent.set()
        raise Misbehaviour("stall")

    with Sink(status=status) as sink:
        jobs.start()
        for stop, state, code in (
            (jobs.jobs.pause, "Paused", 0),
            (jobs.jobs.cancel, "Failure", 37),
        ):
            silent.clear()
            job = jobs.send(sink.port, timeout=0)
            assert silent.wait(20)
            jobs.store.run(stop(USER, job))
            assert jobs.wait(job, state).ErrorCode == code


def test_resubmitting_sends_all_again(make: Make) -> None:
    jobs = make()
    statuses = iter([0, 0xA700])
    with Sink(status=lambda taken: next(statuses, 0)) as sink:
        jobs.start()
        job = jobs.send(sink.port, count=3)
        assert jobs.wait(job).State == "Failure"
        jobs.store.run(jobs.jobs.resubmit(USER, job))
        assert jobs.wait(job).State == "Success"
    assert numbers(sink.taken) == [0, 1, 0, 1, 2]
    content = jobs.content(job)
    assert (content["FailedInstancesCount"], content.get("FailedInstances")) == (0, None)
