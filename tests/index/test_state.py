"""Each index against a plain model, under random sequences of operations."""

import shutil
import tempfile
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from support.instances import TAGS, new_instance, public, terms
from support.snapshots import reading

from orthanc_fast.index.contract import Index, Snapshot, Transaction
from orthanc_fast.index.lmdb.index import LmdbIndex
from orthanc_fast.index.memory.index import MemoryIndex
from orthanc_fast.model import Level

LETTERS = "abc"
LETTERS = "abc"


class IndexMachine(RuleBasedStateMachine):
    """The model: path of instance -> (size, content, uuid); everything else follows from it."""

    def opened(self, folder: Path) -> Index:
        raise NotImplementedError

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.index = self.opened(self.folder)
        self.instances: dict[str, tuple[int, bytes, str]] = {}
        self.changes: list[tuple[int, int, str]] = []  # sequence, type, path
        self.sequence = 0
        self.files = 0
        self.clock = 1000
        self.last: dict[str, int] = {}  # path of a parent -> second of the last instance
        self.unstable: dict[str, int] = {}
        self.doomed: set[str] = set()
        self.recycling: list[str] = []

    def teardown(self) -> None:
        if hasattr(self, "index"):
            self.index.close()
            shutil.rmtree(self.folder)

    def paths(self, level: Level) -> set[str]:
        return {path[: level + 1] for path in self.instances}

    def log(self, kind: int, path: str) -> None:
        self.sequence += 1
        self.changes.append((self.sequence, kind, path))

    def forget(self, path: str) -> None:
        """What the model does when the instances at and below `path` go."""
        gone = [instance for instance in self.instances if instance.startswith(path)]
        for instance in gone:
            self.doomed.add(self.instances.pop(instance)[2])
        alive = {p for level in Level for p in self.paths(level)}
        self.changes = [change for change in self.changes if change[2] in alive]
        self.unstable = {p: when for p, when in self.unstable.items() if p in alive}
        self.recycling = [p for p in self.recycling if p in alive]
        for length in range(1, len(path)):
            if path[:length] in alive:
                self.last[path[:length]] = self.clock

    @rule(
        path=st.text(alphabet=LETTERS, min_size=4, max_size=4),
        size=st.integers(0, 1000),
        content=st.sampled_from([b"x" * 16, b"y" * 16]),
        overwrite=st.sampled_from(["Never", "Always", "IfChanged"]),
        tick=st.integers(0, 2),
    )
    def store(self, path: str, size: int, content: bytes, overwrite: str, tick: int) -> None:
        self.clock += tick
        new = new_instance(path, size, content, self.clock, overwrite)
        self.files += 1
        new.attachments[1].uuid = f"file {self.files}"  # no two files ever have the same name
        outcome = self.index.write(lambda txn: txn.store_instance(new))
        known = self.instances.get(path)
        replaced = overwrite == "Always" or (
            overwrite == "IfChanged" and known is not None and known[1] != content
        )
        assert outcome.found == (known is not None)
        assert outcome.stored == (known is None or replaced)
        if known is not None and not replaced:
            return
        if known is not None:
            assert outcome.doomed == [known[2]]
            self.forget(path)
        before = {p for level in Level for p in self.paths(level)}
        self.instances[path] = (size, content, new.attachments[1].uuid)
        for length, kind in ((4, 2), (3, 4), (2, 5), (1, 3)):
            if path[:length] not in before:
                self.log(kind, path[:length])
        for length in (1, 2, 3):
            self.last[path[:length]] = self.clock
            self.unstable[path[:length]] = self.clock
        if path[0] in self.recycling:
            self.recycling.remove(path[0])
        self.recycling.append(path[0])

    @rule(path=st.text(alphabet=LETTERS, min_size=1, max_size=4))
    def delete(self, path: str) -> None:
        level = Level(len(path) - 1)
        outcome = self.index.write(lambda txn: txn.delete(level, public(path), self.clock))
        gone = {p for p in self.instances if p.startswith(path)}
        assert outcome.found == bool(gone)
        if not gone:
            return
        assert sorted(outcome.doomed) == sorted(self.instances[p][2] for p in gone)
        self.forget(path)
        alive = [
            path[:n] for n in range(len(path) - 1, 0, -1) if path[:n] in self.paths(Level(n - 1))
        ]
        expected = (Level(len(alive[0]) - 1), public(alive[0])) if alive else None
        assert outcome.remaining == expected

    @rule(age=st.integers(0, 3))
    def stabilise(self, age: int) -> None:
        before = self.clock - age
        stable = self.index.write(lambda txn: txn.stabilise(before, self.clock, 1000))
        due = sorted(
            ((when, 3 - len(path), path) for path, when in self.unstable.items() if when < before),
            key=lambda entry: entry[:2],
        )
        assert {resource.public for resource in stable} == {public(path) for _, _, path in due}
        assert [entry[:2] for entry in due] == sorted(entry[:2] for entry in due)
        for resource in stable:
            path = resource.public.lstrip(b"\0").decode()
            self.log({3: 14, 2: 13, 1: 12}[len(path)], path)
            del self.unstable[path]

    @rule()
    def clear_changes(self) -> None:
        self.index.write(lambda txn: txn.clear_changes())
        self.changes = []

    @rule()
    def failing_write(self) -> None:
        """A write that raises changes nothing: the invariants that follow see it."""

        def fail(txn: Transaction) -> None:
            txn.store_instance(new_instance("aaaa", 1, b"z" * 16, self.clock, "Always"))
            raise ValueError("on purpose")

        try:
            self.index.write(fail)
        except ValueError:
            return
        raise AssertionError("the error of the write was lost")

    @rule()
    def sweep(self) -> None:
        with reading(self.index) as view:
            doomed = view.doomed()
        self.index.write(lambda txn: txn.forget_doomed(doomed))
        self.doomed.clear()

    @invariant()
    def resources_agree(self) -> None:
        if not hasattr(self, "index"):
            return
        with reading(self.index) as view:
            for level in Level:
                paths = self.paths(level)
                assert view.listing(level) == sorted(public(path) for path in paths)
                assert view.totals().resources[level] == len(paths)
                for path in paths:
                    self.resource_agrees(view, level, path)
            total = sum(size for size, _, _ in self.instances.values())
            assert view.totals().uncompressed_size == total
            assert set(view.doomed()) == self.doomed

    def resource_agrees(self, view: Snapshot, level: Level, path: str) -> None:
        resource = view.resource(level, public(path))
        assert resource is not None
        below = [instance for instance in self.instances if instance.startswith(path)]
        sizes = [self.instances[instance][0] for instance in below]
        assert resource.uncompressed_size == resource.dicom_uncompressed_size == sum(sizes)
        assert resource.disk_size == resource.dicom_disk_size == sum(s // 2 for s in sizes)
        for deeper in range(level + 1, 4):
            expected = len({instance[: deeper + 1] for instance in below})
            assert resource.counts[deeper - 1] == expected
            children = sorted({public(instance[: deeper + 1]) for instance in below})
            assert view.descendants(resource, Level(deeper)) == children
        assert resource.parent_public == (public(path[:-1]) if level else b"")
        if level != Level.INSTANCE:
            assert resource.last_update == self.last[path]
            assert resource.unstable_since == self.unstable.get(path, 0)
        found = list(view.with_term(level, TAGS[level], path))
        assert [entry.public for entry in found] == [public(path)]

    @invariant()
    def changes_agree(self) -> None:
        if not hasattr(self, "index"):
            return
        with reading(self.index) as view:
            page = view.changes(limit=10_000)
            found = [
                (sequence, change.type, change.public.lstrip(b"\0").decode())
                for sequence, change in page.changes
            ]
            assert found == self.changes
            assert page.done
            assert page.last_allocated == self.sequence

    @rule(
        since=st.integers(-1, 60),
        to=st.integers(-1, 60),
        limit=st.integers(0, 8),
        types=st.none() | st.frozensets(st.sampled_from([2, 3, 4, 5, 14]), min_size=1),
    )
    def page_of_changes(
        self, since: int, to: int, limit: int, types: frozenset[int] | None
    ) -> None:
        matching = [
            change
            for change in self.changes
            if change[0] > since
            and (to < 0 or change[0] <= to)
            and (not types or change[1] in types)
        ]
        backwards = to >= 0 and since <= 0
        expected = matching[max(0, len(matching) - limit) :] if backwards else matching[:limit]
        with reading(self.index) as view:
            page = view.changes(since, to, limit, types)
        assert [sequence for sequence, _ in page.changes] == [change[0] for change in expected]
        if limit:
            assert page.done == (len(matching) <= limit)


class LmdbMachine(IndexMachine):
    def opened(self, folder: Path) -> Index:
        return LmdbIndex(folder, terms, 1 << 24, sync=False)


class MemoryMachine(IndexMachine):
    def opened(self, folder: Path) -> Index:
        return MemoryIndex(terms)


TestLmdbIndexAgainstModel = LmdbMachine.TestCase
TestMemoryIndexAgainstModel = MemoryMachine.TestCase
TestLmdbIndexAgainstModel.settings = TestMemoryIndexAgainstModel.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None
)
