"""Queries that are kept for all processes."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from orthanc_fast.errors import ParameterOutOfRange, UnknownResource
from orthanc_fast.model import Caller, Level
from orthanc_fast.runtime.contract import Runtime, Transaction
from orthanc_fast.runtime.lmdb import LmdbRuntime
from orthanc_fast.runtime.memory import MemoryRuntime
from orthanc_fast.services.scu import queries as module
from orthanc_fast.services.scu.queries import PAGE, Answer, Queries, Query

PATIENT_ID = 0x00100020
QUERY = Query(
    modality="pacs",
    level=Level.STUDY,
    tags={PATIENT_ID: "ä*"},
    timeout=7,
)


@pytest.fixture(params=["memory", "lmdb"])
def runtime(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runtime]:
    found = MemoryRuntime() if request.param == "memory" else LmdbRuntime(tmp_path)
    yield found
    found.close()


def numbered(count: int) -> Iterator[Answer]:
    return ({PATIENT_ID: f"{number}", 0x00090010: None} for number in range(count))


def names(runtime: Runtime) -> list[str]:
    return [name for name, _ in runtime.read(lambda snapshot: snapshot.below("quer"))]


@pytest.mark.parametrize("count", [0, 1, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE])
def test_another_process_knows_the_query_and_its_answers(
    runtime: Runtime, caller: Caller, count: int
) -> None:
    identifier = Queries(runtime, 5, "http-0").add(caller, QUERY, numbered(count)).identifier
    other = Queries(runtime, 5, "http-1")
    done = other.get(caller, identifier)
    assert (done.query, done.count) == (QUERY, count)
    assert [each for page in other.answers(caller, done) for each in page] == list(numbered(count))
    for number in {0, count // 2, count - 1} & set(range(count)):
        assert other.answer(caller, done, number) == list(numbered(count))[number]
    for number in (-1, count, count + PAGE):
        with pytest.raises(ParameterOutOfRange):
            other.answer(caller, done, number)


def test_who_has_not_been_used_for_longest_is_forgotten(runtime: Runtime, caller: Caller) -> None:
    queries = Queries(runtime, 3, "http-0")
    first, second, third = (queries.add(caller, QUERY, numbered(2)).identifier for _ in range(3))
    queries.get(caller, first)
    fourth = queries.add(caller, QUERY, numbered(1)).identifier
    assert queries.identifiers(caller) == sorted([first, third, fourth])
    with pytest.raises(UnknownResource):
        queries.get(caller, second)
    assert not [name for name in names(runtime) if second in name]


def test_large_answers_make_room_for_each_other(
    runtime: Runtime, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ALL", 3000)
    queries = Queries(runtime, 100, "http-0")
    first, second, third = (queries.add(caller, QUERY, numbered(100)).identifier for _ in range(3))
    kept = queries.identifiers(caller)
    assert third in kept
    assert first not in kept
    assert (second in kept) == (len(kept) == 2)
    last = queries.add(caller, QUERY, numbered(1000)).identifier
    assert queries.identifiers(caller) == [last]


def test_answers_that_fail_leave_nothing(runtime: Runtime, caller: Caller) -> None:
    def failing() -> Iterator[Answer]:
        yield from numbered(3 * PAGE)
        raise LookupError

    queries = Queries(runtime, 5, "http-0")
    with pytest.raises(LookupError):
        queries.add(caller, QUERY, failing())
    assert names(runtime) == []
    assert queries.identifiers(caller) == []


def test_what_a_process_that_died_has_left_goes_when_it_starts_again(
    runtime: Runtime, caller: Caller
) -> None:
    def counted() -> Iterator[Answer]:
        yield from numbered(2 * PAGE)
        left.extend(runtime.read(lambda snapshot: snapshot.below("quer")))

    left: list[tuple[str, bytes]] = []
    kept = Queries(runtime, 5, "http-1").add(caller, QUERY, numbered(1)).identifier
    Queries(runtime, 5, "http-0").add(caller, QUERY, counted())
    for name in names(runtime):
        runtime.write(lambda txn, name=name: txn.delete(name))  # type: ignore[misc]
    for name, value in left:  # as it was in the middle
        runtime.write(lambda txn, name=name, value=value: txn.set(name, value))  # type: ignore[misc]
    assert len(left) >= 5
    Queries(runtime, 5, "http-1")
    assert len(names(runtime)) == len(left)
    queries = Queries(runtime, 5, "http-0")
    assert queries.identifiers(caller) == [kept]
    assert len(names(runtime)) == 3
    assert queries.get(caller, kept).count == 1


def test_deleting(runtime: Runtime, caller: Caller) -> None:
    queries = Queries(runtime, 5, "http-0")
    first, second = (queries.add(caller, QUERY, numbered(PAGE + 1)) for _ in range(2))
    queries.delete(caller, first.identifier)
    queries.delete(caller, first.identifier)
    queries.delete(caller, "x" * 600)
    assert queries.identifiers(caller) == [second.identifier]
    assert not [name for name in names(runtime) if first.identifier in name]
    with pytest.raises(UnknownResource):
        queries.answer(caller, first, 0)
    with pytest.raises(UnknownResource):
        list(queries.answers(caller, first))
    for nobody in (first.identifier, "", "x" * 600):
        with pytest.raises(UnknownResource):
            queries.get(caller, nobody)


class Counting:
    """A runtime that tells how many pages each of its writes removes."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.removed: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runtime, name)

    def write(self, work: Callable[[Transaction], Any]) -> Any:
        def counted(transaction: Transaction) -> Any:
            before = len(transaction.below("query-answers/"))
            found = work(transaction)
            self.removed.append(before - len(transaction.below("query-answers/")))
            return found

        return self._runtime.write(counted)


@pytest.mark.parametrize("displaced", [False, True])
def test_large_answers_go_in_portions(
    runtime: Runtime, caller: Caller, displaced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else can be written meanwhile."""
    monkeypatch.setattr(module, "_REMOVED_AT_ONCE", 3)
    counting = Counting(runtime)
    queries = Queries(cast(Runtime, counting), 1, "http-0")
    identifier = queries.add(caller, QUERY, numbered(10 * PAGE)).identifier
    if displaced:
        queries.add(caller, QUERY, numbered(0))
    else:
        queries.delete(caller, identifier)
    assert max(counting.removed) == 3
    assert sum(each for each in counting.removed if each > 0) == 10
    assert not [name for name in names(runtime) if identifier in name]


def test_a_process_that_dies_while_it_forgets(
    runtime: Runtime, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = Queries(runtime, 5, "http-0")
    identifier = queries.add(caller, QUERY, numbered(3 * PAGE)).identifier
    with monkeypatch.context() as patched:
        patched.setattr(queries, "_remove", lambda hidden: None)
        queries.delete(caller, identifier)
    with pytest.raises(UnknownResource):
        queries.get(caller, identifier)
    assert [name for name in names(runtime) if identifier in name]
    Queries(runtime, 5, "http-0")
    assert not [name for name in names(runtime) if identifier in name]
