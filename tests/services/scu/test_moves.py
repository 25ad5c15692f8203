"""What comes for C-MOVEs of ours, as the processes tell each other."""

from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.errors import FullStorage
from orthanc_fast.runtime.contract import Transaction
from orthanc_fast.runtime.memory import MemoryRuntime
from orthanc_fast.services.ingest.contract import Stored
from orthanc_fast.services.jobs.records import RUNNING
from orthanc_fast.services.scu.moves import FIRST_MESSAGE, Moves


def stored(number: int) -> Stored:
    return Stored("Success", (b"", b"", b"", number.to_bytes(20)))


def names(*numbers: int) -> list[str]:
    return [to_text(number.to_bytes(20)) for number in numbers]


def runtime_of(*jobs: str) -> MemoryRuntime:
    """One in which these jobs are running."""
    runtime = MemoryRuntime()

    def work(transaction: Transaction) -> None:
        for job in jobs:
            transaction.set(f"{RUNNING}jobs-1/{job}", b"")

    runtime.write(work)
    return runtime


def test_message_ids_come_from_one_counter() -> None:
    runtime = runtime_of("a", "b", "c")
    here, there = Moves(runtime), Moves(runtime)
    assert [here.begin("a", "X"), there.begin("b", "X"), here.begin("c", "X")] == [
        FIRST_MESSAGE,
        FIRST_MESSAGE + 1,
        FIRST_MESSAGE + 2,
    ]


def test_what_comes_is_found_in_its_order() -> None:
    runtime = MemoryRuntime()
    job, door = Moves(runtime), Moves(runtime)
    number = job.begin("a", "X")
    for each in (3, 1, 2):
        door.received("X", number, stored(each))
    assert job.found(number) == names(3, 1, 2)
    assert job.end(number) == names(3, 1, 2)


def test_what_comes_for_others_changes_nothing() -> None:
    runtime = MemoryRuntime()
    moves = Moves(runtime)
    number = moves.begin("a", "X")
    moves.received("Y", number, stored(1))
    moves.received("X", number + 1, stored(2))
    assert moves.end(number) == []


def test_what_comes_too_late_leaves_nothing() -> None:
    runtime = MemoryRuntime()
    moves = Moves(runtime)
    number = moves.begin("a", "X")
    moves.received("X", number, stored(1))
    moves.end(number)
    moves.received("X", number, stored(2))
    assert [name for name, _ in runtime.read(lambda view: view.below("moves/"))] == [
        "moves/counter"
    ]


def test_a_job_that_runs_again_forgets_its_last_run() -> None:
    runtime = runtime_of("a", "b")
    moves = Moves(runtime)
    moves.received("X", moves.begin("a", "X"), stored(1))
    other = moves.begin("b", "X")
    moves.received("X", other, stored(2))
    number = moves.begin("a", "X")
    assert moves.found(number) == []
    assert moves.end(number) == []
    assert moves.end(other) == names(2)
    assert len(runtime.read(lambda view: view.below("moves/"))) == 1


def test_what_dead_jobs_have_left_is_forgotten() -> None:
    runtime = runtime_of("b")
    moves = Moves(runtime)
    dead, alive = moves.begin("a", "X"), moves.begin("b", "X")
    assert moves.found(dead) == []
    moves.received("X", dead, stored(1))
    moves.received("X", alive, stored(2))
    moves.begin("c", "X")
    assert moves.found(dead) == []
    assert moves.found(alive) == names(2)


def test_numbers_begin_again_and_leave_out_those_in_use() -> None:
    runtime = runtime_of("a", "b", "c", "d")
    moves = Moves(runtime)
    runtime.write(lambda transaction: transaction.set("moves/counter", b"65534"))
    assert [moves.begin(job, "X") for job in "abc"] == [65535, 1, 2]
    runtime.write(lambda transaction: transaction.set("moves/counter", b"65535"))
    assert moves.begin("d", "X") == 3


def test_a_full_disk_loses_the_news_and_not_the_instance() -> None:
    class Full(MemoryRuntime):
        is_full = False

        def write(self, work):  # type: ignore[no-untyped-def]
            if self.is_full:
                raise FullStorage("no room")
            return super().write(work)

    runtime = Full()
    moves = Moves(runtime)
    number = moves.begin("a", "X")
    runtime.is_full = True
    moves.received("X", number, stored(1))
    assert moves.found(number) == []
