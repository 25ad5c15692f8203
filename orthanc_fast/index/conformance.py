"""What every implementation of the index does, as tests that each one's test module inherits:

    class TestMyIndex(IndexConformance):
        def open_index(self) -> AbstractContextManager[Index]: ...

A test runner that collects classes named Test* runs them; nothing here needs one.
"""

import asyncio
import random
from abc import abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from functools import partial
from operator import methodcaller
from typing import Any

from orthanc_fast._ext.wildcards import pack
from orthanc_fast.index.contract import (
    DELETIONS,
    DELETIONS_HEARD,
    Index,
    Result,
    Snapshot,
    Transaction,
    Write,
)
from orthanc_fast.index.packed import unpack
from orthanc_fast.index.terms import Kind, Term, value_of
from orthanc_fast.model import Attachment, Export, Level, NewInstance, Outcome, Resource
from orthanc_fast.registries import (
    LAST_UPDATE,
    MAIN_DICOM_TAGS_SIGNATURE,
    NEW_INSTANCE,
    NEW_PATIENT,
    NEW_SERIES,
    NEW_STUDY,
    STABLE_PATIENT,
    STABLE_SERIES,
    STABLE_STUDY,
)

PATIENT_ID, STUDY_UID, SERIES_UID, SOP_UID = 0x00100020, 0x0020000D, 0x0020000E, 0x00080018
TAGS = (PATIENT_ID, STUDY_UID, SERIES_UID, SOP_UID)


def public(path: str) -> bytes:
    """A 20-byte identifier from which a failing test shows the path."""
    return path.encode().rjust(20, b"\0")


def log_export(export: Export, transaction: Transaction) -> int:
    return transaction.log_export(export)


def terms(resource: Resource) -> list[Term]:
    """The terms of resources: all tags, labels, and for studies the last letter of their series."""
    found = [(Kind.TAG, tag, value) for tag, value in resource.tags.items()]
    if resource.level == Level.SERIES:
        found += [(Kind.OF_CHILD, SERIES_UID, resource.tags[SERIES_UID][-1])]
    return found + [(Kind.LABEL, 0, label) for label in resource.labels]


def new_instance(
    path: str, size: int = 100, content: bytes = b"x" * 16, now: int = 1, overwrite: str = "Never"
) -> NewInstance:
    """An instance named by a path: "abca" is instance a of series c of study b of patient a."""
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
        tags=({TAGS[0]: paths[0]}, {TAGS[1]: paths[1]}, {TAGS[2]: paths[2]}, {TAGS[3]: paths[3]}),
        metadata=({}, {}, {3: ""}, {2: str(now)}),
        signatures=("p", "s", "e", "i"),
        attachments={1: attachment},
        image=b"image",
        received=now,
        overwrite=overwrite,
    )


def everything(snapshot: Snapshot) -> dict[str, Any]:
    """All that a snapshot shows, for comparing two of them."""
    resources = {level: snapshot.resources(level, snapshot.listing(level)) for level in Level}
    present = [each for found in resources.values() for each in found if each is not None]
    fields = [(kind, level) for kind in Kind for level in Level]
    keys = {
        (kind, level, number): snapshot.search.between(kind, level, number)
        for kind, level in fields
        for number in (0, LAST_UPDATE, *TAGS)
    }
    return {
        "resources": resources,
        "children": snapshot.children_of(present),
        "images": snapshot.images_of(present),
        "metadata": snapshot.metadata_of(present),
        "terms": {key: snapshot.search.members([key]) for found in keys.values() for key in found},
        "totals": snapshot.totals(),
        "changes": snapshot.changes(limit=10_000),
        "exports": snapshot.exports(0, 10_000),
        "unstable": snapshot.first_unstable(),
        "doomed": snapshot.doomed(),
        "labels": snapshot.labels_in_use(),
    }


def random_change(chance: random.Random, now: int) -> Callable[[Transaction], object]:
    """One change of a small store, whatever it holds; the same for the same `chance`."""
    letters = "".join(chance.choice("ab") for _ in range(4))
    level = Level(chance.randrange(4))
    named = public(letters[: level + 1])
    kind = chance.randrange(14)
    size = chance.randrange(1000)

    def edit(txn: Transaction, change: Callable[[Resource], object]) -> None:
        resource = txn.resource(level, named)
        if resource is not None:
            change(resource)

    def replace_tags(txn: Transaction, resource: Resource) -> None:
        tags = {TAGS[resource.level]: letters[::-1]}
        txn.set_main_tags(resource, tags, {PATIENT_ID: "x"}, None, f"signature {size}")

    def remove_something(txn: Transaction, resource: Resource) -> None:
        if 1030 in resource.user_metadata:
            txn.remove_metadata(resource, 1030)
        if 1024 in resource.attachments:
            txn.remove_attachment(resource, 1024)
        txn.remove_label(resource, "red")

    def set_image(txn: Transaction, resource: Resource) -> None:
        if resource.level == Level.INSTANCE:
            txn.set_image(resource, b"%d" % size if size % 2 else b"")

    def protect(txn: Transaction) -> None:
        patient = txn.resource(Level.PATIENT, public(letters[0]))
        if patient is not None:
            txn.set_protected(patient, size % 2 == 0)

    def fail(txn: Transaction) -> None:
        txn.store_instance(new_instance(letters, now=now))
        txn.delete(level, named, now)
        txn.clear_changes()
        raise Refused

    changes: list[Callable[[Transaction], object]] = [
        lambda txn: txn.delete(level, named, now),
        lambda txn: txn.stabilise(now - 2, now, 5),
        lambda txn: edit(txn, lambda it: txn.add_label(it, chance_label(size))),
        lambda txn: edit(txn, lambda it: txn.set_metadata(it, 1030, b"%d" % size)),
        lambda txn: edit(txn, lambda it: txn.put_attachment(it, 1024, attachment(size, now))),
        lambda txn: edit(txn, lambda it: remove_something(txn, it)),
        lambda txn: edit(txn, lambda it: replace_tags(txn, it)),
        lambda txn: edit(txn, lambda it: txn.set_stable(it, size % 2 == 0, now)),
        lambda txn: edit(txn, lambda it: set_image(txn, it)),
        protect,
        lambda txn: txn.log_export(Export(level, named, now, "there", letters)),
        fail,
    ]
    if kind < len(changes) - 1 and size % 3:
        return changes[kind]
    if size % 50 == 0:
        return fail
    new = new_instance(letters, size, bytes([size % 2]) * 16, now, "IfChanged")
    return lambda txn: txn.store_instance(new)


def chance_label(size: int) -> str:
    return ("red", "Red", "blue")[size % 3]


def attachment(size: int, now: int) -> Attachment:
    return Attachment(f"attached-{now}-{size}", size, size // 3, True, b"y" * 16)


class Refused(Exception):
    """Raised by a change on purpose."""


def apply(index: Index, change: Callable[[Transaction], object]) -> None:
    """Writes one change, which may be refused."""
    try:
        index.write(change)
    except Refused:
        return


class _Store(Write[Outcome]):
    """Stores the instance of a path, or fails where it is told to."""

    def __init__(self, path: str, fails_in: str = "") -> None:
        self.path = path
        self.fails_in = fails_in

    def apply(self, transaction: Transaction) -> Outcome:
        outcome = transaction.store_instance(new_instance(self.path))
        if self.fails_in == "apply":
            raise Refused
        return outcome

    def finish(self, result: Outcome) -> str:
        if self.fails_in == "finish":
            raise Refused
        return self.path


class _Notes:
    """Effects that note what they are told; `before` refuses the writes that are to fail there."""

    def __init__(self) -> None:
        self.prepared: list[str] = []
        self.stored: dict[str, bool] = {}

    def before(self, writes: Sequence[Write[Any]]) -> Sequence[BaseException | None]:
        stores = [write for write in writes if isinstance(write, _Store)]
        self.prepared += [store.path for store in stores]
        return [Refused() if store.fails_in == "before" else None for store in stores]

    def after(self, writes: Sequence[Write[Any]], results: Sequence[Result]) -> None:
        for write, (_, error) in zip(writes, results, strict=True):
            if isinstance(write, _Store):
                self.stored[write.path] = error is None


class IndexConformance:
    """The tests; each opens an empty index."""

    @abstractmethod
    def open_index(self) -> AbstractContextManager[Index]:
        """An empty index with the terms of `terms`, closed at the end."""

    def fill(self, index: Index, *paths: str) -> None:
        def store(txn: Transaction) -> None:
            for path in paths:
                txn.store_instance(new_instance(path))

        index.write(store)

    # Reading many at once

    def test_many_are_as_one_by_one(self) -> None:
        with self.open_index() as index:
            self.fill(index, "aaaa", "aaab", "aaba", "abaa", "baaa")
            index.read(_compare_many_with_single)

    def test_what_does_not_exist_has_its_place(self) -> None:
        with self.open_index() as index:
            self.fill(index, "aaaa", "aaab")

            def look(snapshot: Snapshot) -> None:
                wanted = [public("aaab"), public("zzzz"), public("aaaa"), public("aaab")]
                found = snapshot.resources(Level.INSTANCE, wanted)
                assert [each and each.public for each in found] == [
                    public("aaab"),
                    None,
                    public("aaaa"),
                    public("aaab"),
                ]
                assert snapshot.resources(Level.STUDY, []) == []
                assert snapshot.resource(Level.SERIES, public("aaaa")) is None
                assert not snapshot.exists(Level.SERIES, public("aaaa"))
                assert snapshot.resource_of_any_level(public("zz")) is None

            index.read(look)

    def test_ancestors(self) -> None:
        with self.open_index() as index:
            self.fill(index, "aaaa", "abca")

            def look(snapshot: Snapshot) -> None:
                instance = _present(snapshot.resource(Level.INSTANCE, public("abca")))
                patient = _present(snapshot.resource(Level.PATIENT, public("a")))
                above, none = snapshot.ancestors_of([instance, patient])
                assert [each.public for each in above] == [
                    public("abc"),
                    public("ab"),
                    public("a"),
                ]
                assert none == []
                assert snapshot.parents_of([patient, instance])[0] is None
                assert snapshot.ancestors(instance) == above

            index.read(look)

    def test_answers_outlive_the_snapshot(self) -> None:
        with self.open_index() as index:
            self.fill(index, "aaaa")
            before = index.read(lambda view: _present(view.resource(Level.PATIENT, public("a"))))
            self.fill(index, "abaa")
            assert before.counts == [1, 1, 1]
            before.tags[PATIENT_ID] = "changed by a reader"
            after = index.read(lambda view: _present(view.resource(Level.PATIENT, public("a"))))
            assert after.tags[PATIENT_ID] == "a"
            assert after.counts == [2, 2, 2]

    def test_listings(self) -> None:
        with self.open_index() as index:
            self.fill(index, *(f"{patient}aaa" for patient in "gcafbde"))

            def look(snapshot: Snapshot) -> None:
                all_of_them = [public(patient) for patient in "abcdefg"]
                for since in range(9):
                    for limit in range(9):
                        stop = since + limit if limit else None
                        found = snapshot.listing(Level.PATIENT, since, limit)
                        assert found == all_of_them[since:stop], (since, limit)
                assert list(snapshot.search.scan(Level.PATIENT)) == all_of_them
                for number, each in enumerate(all_of_them):
                    rest = list(snapshot.search.scan(Level.PATIENT, each))
                    assert rest == all_of_them[number + 1 :]

            index.read(look)

    def test_by_creation(self) -> None:
        with self.open_index() as index:
            self.fill(index, "caaa", "aaaa", "daaa", "baaa")
            index.write(lambda txn: txn.delete(Level.PATIENT, public("a"), 5))
            self.fill(index, "aaaa")  # the youngest now
            index.write(lambda txn: txn.delete(Level.PATIENT, public("d"), 6))

            def look(snapshot: Snapshot) -> None:
                asked = b"".join(sorted(public(patient) for patient in "abcdz"))
                created = snapshot.by_creation(Level.PATIENT, asked)
                assert created == public("c") + public("b") + public("a")
                assert snapshot.by_creation(Level.PATIENT, public("b")) == public("b")
                assert snapshot.by_creation(Level.STUDY, asked) == b""
                assert snapshot.by_creation(Level.PATIENT, b"") == b""
                parts = [snapshot.creation_numbers(Level.PATIENT, public(each)) for each in "abcdz"]
                numbered = sorted(each for part in parts for each in part)
                assert b"".join(found for _, found in numbered) == created
                walked = snapshot.created_after(0, 100)
                ids = [each.id for each in walked]
                assert ids == sorted(set(ids)) and len(ids) == 3 * 4
                patients = [each.public for each in walked if each.level == Level.PATIENT]
                assert b"".join(patients) == created
                assert snapshot.created_after(ids[2], 3) == walked[3:6]
                assert snapshot.created_after(ids[-1], 3) == []

            index.read(look)

    def test_numbered(self) -> None:
        with self.open_index() as index:
            asked = public("a") + public("b")

            def numbered() -> bytes:
                return index.read(lambda view: view.numbered(Level.PATIENT, asked))

            self.fill(index, "aaaa", "baaa")
            both = numbered()
            self.fill(index, "caaa")
            assert numbered() == both
            index.write(lambda txn: txn.delete(Level.PATIENT, public("a"), 5))
            one = numbered()
            self.fill(index, "aaaa")
            assert len({both, one, numbered()}) == 3

    def test_metadata(self) -> None:
        with self.open_index() as index:
            self.fill(index, "aaaa")

            def edit(txn: Transaction) -> None:
                series = _present(txn.resource(Level.SERIES, public("aaa")))
                assert txn.set_metadata(series, 1024, b"one") == 0
                assert txn.set_metadata(series, 1024, b"two") == 1
                txn.set_builtin_metadata(series, 4, "there")

            index.write(edit)

            def look(snapshot: Snapshot) -> None:
                series = _present(snapshot.resource(Level.SERIES, public("aaa")))
                instance = _present(snapshot.resource(Level.INSTANCE, public("aaaa")))
                assert snapshot.metadata_of([series, instance]) == [
                    {
                        3: "",
                        4: "there",
                        LAST_UPDATE: "19700101T000001",
                        MAIN_DICOM_TAGS_SIGNATURE: "e",
                        1024: b"two",
                    },
                    {2: "1", MAIN_DICOM_TAGS_SIGNATURE: "i"},
                ]
                assert series.revisions == {1024: 1}

            index.read(look)

    def test_another_image(self) -> None:
        """Another one, none, and one again; it goes with its instance."""
        with self.open_index() as index:
            self.fill(index, "aaaa", "aaab")

            def images() -> list[bytes | None]:
                def look(snapshot: Snapshot) -> list[bytes | None]:
                    instances = [public("aaaa"), public("aaab")]
                    found = snapshot.resources(Level.INSTANCE, instances)
                    return snapshot.images_of([each for each in found if each is not None])

                return index.read(look)

            def put(image: bytes, txn: Transaction) -> None:
                txn.set_image(_present(txn.resource(Level.INSTANCE, public("aaaa"))), image)

            for image in (b"another", b"", b"again"):
                index.write(partial(put, image))
                assert images() == [image or None, b"image"]
            index.write(lambda txn: txn.delete(Level.INSTANCE, public("aaaa"), 1))
            assert images() == [b"image"]

    # Searching

    def test_one_text_of_many(self) -> None:
        with self.open_index() as index:
            self.fill(index, "aaaa", "aaba")

            def edit(txn: Transaction) -> None:
                for path, text in (("aaa", "there"), ("aab", "\u00e9")):
                    txn.set_builtin_metadata(
                        _present(txn.resource(Level.SERIES, public(path))), 4, text
                    )

            index.write(edit)

            def look(snapshot: Snapshot) -> None:
                asked = [public(path) for path in ("aab", "zzz", "aaa", "aab")]
                texts = snapshot.texts_of(Level.SERIES, asked, 4)
                assert texts == ["\u00e9", None, "there", "\u00e9"]
                assert snapshot.texts_of(Level.SERIES, asked, 5) == [None] * 4
                assert snapshot.texts_of(Level.PATIENT, [public("a")], 4) == [None]
                assert snapshot.texts_of(Level.SERIES, [], 4) == []
                for level in Level:
                    some = [public("zzz"), *snapshot.listing(level)]
                    assert snapshot.tags_of(level, some) == [
                        None if each is None else (each.tags, each.patient_tags)
                        for each in snapshot.resources(level, some)
                    ]

            index.read(look)

    def test_search(self) -> None:
        with self.open_index() as index:
            self.fill(index, "aaaa", "Aaaa", "abaa", "baaa")

            def look(snapshot: Snapshot) -> None:
                search = snapshot.search
                keys = search.equal(Kind.TAG, Level.PATIENT, PATIENT_ID, "a")
                assert {value_of(key) for key in keys} == {"a", "A"}
                assert search.count(keys) == 2
                assert search.members(keys) == public("A") + public("a")
                field = (Kind.TAG, Level.STUDY, STUDY_UID)
                assert search.between(*field, b"AB", b"AB") == search.equal(*field, "ab")
                every = search.between(*field)
                for bounds in ((b"", None), (b"AB", b"AB"), (b"B", None), (b"ZZZ", None)):
                    rows = [
                        (key, public)
                        for key in search.between(*field, *bounds)
                        for public in unpack(search.members([key]))
                    ]
                    for _ in range(3):  # they may be remembered
                        assert b"".join(search.rows(*field, *bounds)) == pack(rows)
                assert list(search.walk(*field, descending=False)) == every
                assert list(search.walk(*field, descending=True)) == every[::-1]
                groups = [[key] for key in every] + [every, []]
                sets = [search.members(group) for group in groups]
                assert list(search.sets(groups)) == sets
                some = search.members(every[1:])
                assert list(search.sets(groups, some)) == [
                    b"".join(each for each in unpack(found) if each in set(unpack(some)))
                    for found in sets
                ]
                assert list(search.sets(groups, b"")) == [b""] * len(groups)
                named = snapshot.with_term(Level.PATIENT, PATIENT_ID, "A")
                assert {each.public for each in named} == {public("A"), public("a")}

            index.read(look)

    def test_sets_along_the_hierarchy(self) -> None:
        with self.open_index() as index:
            self.fill(index, "aaaa", "aaab", "abaa", "baaa")

            def look(snapshot: Snapshot) -> None:
                search = snapshot.search
                patients = snapshot.listing_packed(Level.PATIENT)
                below = search.descend(patients, Level.PATIENT, Level.INSTANCE)
                assert below == snapshot.listing_packed(Level.INSTANCE)
                assert search.descend(public("zz"), Level.STUDY, Level.SERIES) == b""
                assert search.ascend(below, Level.INSTANCE) == snapshot.listing_packed(Level.SERIES)
                patient = _present(snapshot.resource(Level.PATIENT, public("a")))
                found = snapshot.descendants(patient, Level.SERIES)
                assert found == [public("aaa"), public("aba")]
                assert snapshot.descendants(patient, Level.PATIENT) == [public("a")]

            index.read(look)

    def test_labels(self) -> None:
        with self.open_index() as index:
            self.fill(index, "aaaa", "baaa")

            def label(txn: Transaction) -> None:
                for level, path in ((Level.PATIENT, "a"), (Level.SERIES, "baa")):
                    resource = _present(txn.resource(level, public(path)))
                    txn.add_label(resource, "red")
                    txn.add_label(resource, path)
                    txn.add_label(resource, "red")

            index.write(label)
            assert index.read(lambda view: view.labels_in_use()) == ["a", "baa", "red"]

            def unlabel(txn: Transaction) -> None:
                resource = _present(txn.resource(Level.SERIES, public("baa")))
                txn.remove_label(resource, "baa")
                txn.remove_label(resource, "unknown")

            index.write(unlabel)
            index.write(lambda txn: txn.delete(Level.PATIENT, public("a"), 2))
            assert index.read(lambda view: view.labels_in_use()) == ["red"]

    def test_parents_are_found_by_their_children(self) -> None:
        with self.open_index() as index:
            self.fill(index, "zzaa", "zzba", "zzca")

            def studies(letter: str) -> list[bytes]:
                def look(snapshot: Snapshot) -> list[bytes]:
                    search = snapshot.search
                    keys = search.equal(Kind.OF_CHILD, Level.STUDY, SERIES_UID, letter)
                    return list(unpack(search.members(keys)))

                return index.read(look)

            assert studies("a") == studies("b") == [public("zz")]
            index.write(lambda txn: txn.delete(Level.SERIES, public("zza"), 2))
            assert studies("a") == []
            assert studies("b") == [public("zz")]
            index.write(lambda txn: txn.delete(Level.PATIENT, public("z"), 3))
            assert studies("b") == studies("c") == []

    # Writing

    def test_a_write_that_raises_changes_nothing(self) -> None:
        with self.open_index() as index:
            self.fill(index, "aaaa")
            before = index.read(everything)

            def fail(txn: Transaction) -> None:
                txn.store_instance(new_instance("bbbb"))
                txn.delete(Level.PATIENT, public("a"), 5)
                txn.set_property("name", b"value")
                txn.log_export(Export(0, public("a"), 1, "there", "a"))
                txn.clear_changes()
                raise Refused

            apply(index, fail)
            assert index.read(everything) == before
            assert index.read(lambda view: view.property("name")) is None

    def test_a_transaction_sees_what_it_has_done(self) -> None:
        with self.open_index() as index:

            def work(txn: Transaction) -> None:
                txn.store_instance(new_instance("aaaa"))
                txn.store_instance(new_instance("aaab"))
                patient = _present(txn.resource_of_any_level(public("a")))
                assert patient.counts == [1, 1, 2]
                assert txn.totals.resources == [1, 1, 1, 2]
                found = txn.resources(Level.INSTANCE, [public("aaab"), public("no")])
                assert found[1] is None
                above = txn.ancestors(_present(found[0]))
                assert above[-1] is patient
                txn.delete(Level.INSTANCE, public("aaab"), 3)
                assert patient.counts == [1, 1, 1]
                assert txn.resource(Level.INSTANCE, public("aaab")) is None
                txn.set_property("name", b"value")
                assert txn.property("name") == b"value"
                txn.set_property("name", None)
                assert txn.property("name") is None

            index.write(work)
            assert index.read(lambda view: view.totals().resources) == [1, 1, 1, 1]

    def test_versions(self) -> None:
        """Where an index has them, another state has another one."""
        with self.open_index() as index:
            seen: list[int | None] = []
            for number in range(3):
                value = str(number).encode()
                index.write(partial(_set_name, value))
                versions = {index.read(lambda view: view.version) for _ in range(2)}
                assert len(versions) == 1
                seen += versions
            assert seen == [None] * 3 or len({*seen}) == 3

    def test_properties_below_a_prefix(self) -> None:
        with self.open_index() as index:

            def work(txn: Transaction) -> None:
                for name in ("job/b", "job/a", "job", "jobs", "k"):
                    txn.set_property(name, name.encode())
                txn.set_property("job/c", b"")
                txn.set_property("job/d", b"")
                txn.set_property("job/d", None)

            index.write(work)
            found = index.read(lambda view: view.properties("job/"))
            assert found == {"job/a": b"job/a", "job/b": b"job/b", "job/c": b""}
            assert list(found) == sorted(found)
            assert index.read(lambda view: view.properties("x")) == {}

    def test_some_properties(self) -> None:
        with self.open_index() as index:
            names = ["q/1", "q/2", "q/3", "q/é"]

            def work(txn: Transaction) -> list[list[str]]:
                for name in ("p", "q", "r", *names):
                    txn.set_property(name, b"x")
                return [
                    [name for name, _ in txn.some_properties("q/", after, limit, descending)]
                    for after, limit, descending in cases
                ]

            cases = [
                (None, 9, False),
                (None, 2, False),
                ("q/2", 1, False),
                ("q/25", 9, False),
                ("q/é", 9, False),
                (None, 9, True),
                (None, 1, True),
                ("q/3", 9, True),
                ("q/1", 9, True),
            ]
            expected = [
                names,
                names[:2],
                names[2:3],
                names[2:],
                [],
                names[::-1],
                names[:2:-1],
                names[1::-1],
                [],
            ]
            assert index.write(work) == expected
            for case, wanted in zip(cases, expected, strict=True):
                found = index.read(methodcaller("some_properties", "q/", *case))
                assert found == [(name, b"x") for name in wanted]
            last = index.read(lambda view: view.some_properties("r", None, 9, True))
            assert last == [("r", b"x")]

    def test_logs(self) -> None:
        with self.open_index() as index:
            self.fill(index, "aaaa")
            kinds = [NEW_PATIENT, NEW_STUDY, NEW_SERIES, NEW_INSTANCE]
            page = index.read(lambda view: view.changes())
            assert sorted(change.type for _, change in page.changes) == sorted(kinds)
            assert (page.done, page.last_allocated) == (True, 4)
            index.write(lambda txn: txn.stabilise(2, 3, 100))
            stable = frozenset({STABLE_PATIENT, STABLE_STUDY, STABLE_SERIES})
            page = index.read(lambda view: view.changes(types=stable))
            order = [change.type for _, change in page.changes]
            assert order == [STABLE_SERIES, STABLE_STUDY, STABLE_PATIENT]
            last = index.read(lambda view: view.last_change())
            assert last is not None and last[0] == 7
            assert index.read(lambda view: view.first_unstable()) is None
            index.write(lambda txn: txn.clear_changes())
            assert index.read(lambda view: view.last_change()) is None
            assert index.read(lambda view: view.changes().last_allocated) == 7

            for name in ("one", "two", "three"):
                index.write(partial(log_export, Export(3, public("aaaa"), 1, name, "a")))
            found, done = index.read(lambda view: view.exports(1, 1))
            assert [(number, export.modality) for number, export in found] == [(2, "two")]
            assert not done
            newest = index.read(lambda view: view.last_export())
            assert newest is not None and newest[0] == 3
            index.write(lambda txn: txn.clear_exports())
            assert index.read(lambda view: view.exports(0, 5)) == ([], True)

    def test_stable_by_hand(self) -> None:
        with self.open_index() as index:
            self.fill(index, "aaaa")

            def set_stable(
                level: Level, name: str, is_stable: bool, now: int, txn: Transaction
            ) -> bool:
                return txn.set_stable(_present(txn.resource(level, public(name))), is_stable, now)

            def change(level: Level, name: str, is_stable: bool, now: int) -> bool:
                return index.write(partial(set_stable, level, name, is_stable, now))

            def stable_changes() -> list[int]:
                stable = frozenset({STABLE_PATIENT, STABLE_STUDY, STABLE_SERIES})
                page = index.read(lambda view: view.changes(types=stable))
                return [each.type for _, each in page.changes]

            def study() -> Resource:
                return _present(index.read(lambda view: view.resource(Level.STUDY, public("aa"))))

            assert not change(Level.INSTANCE, "aaaa", True, 5)
            assert not change(Level.STUDY, "aa", False, 5)  # it is so already
            assert change(Level.STUDY, "aa", True, 5)
            assert not change(Level.STUDY, "aa", True, 6)
            assert (study().unstable_since, stable_changes()) == (0, [STABLE_STUDY])
            assert change(Level.STUDY, "aa", False, 7)
            assert (study().unstable_since, stable_changes()) == (7, [STABLE_STUDY])
            # The others have waited longer.
            index.write(lambda txn: txn.stabilise(7, 8, 10))
            assert stable_changes() == [STABLE_STUDY, STABLE_SERIES, STABLE_PATIENT]
            assert index.read(lambda view: view.first_unstable()) == 7
            index.write(lambda txn: txn.stabilise(8, 8, 10))
            assert stable_changes()[-1] == STABLE_STUDY
            assert index.read(lambda view: view.first_unstable()) is None

    def test_deletions_that_are_heard(self) -> None:
        """Each has a number among those of the changes, children before their parents."""
        with self.open_index() as index:
            self.fill(index, "aaaa", "aaab", "baaa")

            def deletions() -> list[tuple[int, int, bytes]]:
                found = index.read(lambda view: view.some_properties(DELETIONS, None, 100))
                return [
                    (int(name.removeprefix(DELETIONS), 16), value[0], value[1:])
                    for name, value in found
                ]

            def last() -> int:
                return index.read(lambda view: view.changes().last_allocated)

            index.write(lambda txn: txn.delete(Level.PATIENT, public("b"), 1))
            assert deletions() == []  # nobody hears
            index.write(lambda txn: txn.set_property(DELETIONS_HEARD, b"somebody"))
            before = last()
            index.write(lambda txn: txn.delete(Level.INSTANCE, public("aaaa"), 1))
            assert deletions() == [(before + 1, Level.INSTANCE, public("aaaa"))]
            # The last one takes along what stands above.
            index.write(lambda txn: txn.delete(Level.INSTANCE, public("aaab"), 1))
            names = [("aaaa", 3), ("aaab", 3), ("aaa", 2), ("aa", 1), ("a", 0)]
            wanted = [
                (before + number, level, public(name))
                for number, (name, level) in enumerate(names, 1)
            ]
            assert deletions() == wanted
            assert last() == before + 5
            # A replaced instance is deleted, too.
            self.fill(index, "aaaa")
            replaced = new_instance("aaaa", now=2, overwrite="Always")
            index.write(lambda txn: txn.store_instance(replaced))
            assert [each[1:] for each in deletions()[5:]] == [
                (level, public(name)) for name, level in (names[0], *names[2:])
            ]
            index.write(lambda txn: txn.set_property(DELETIONS_HEARD, None))
            index.write(lambda txn: txn.delete(Level.PATIENT, public("a"), 3))
            assert len(deletions()) == 9

    def test_the_order_of_recycling(self) -> None:
        with self.open_index() as index:
            self.fill(index, "aaaa", "baaa", "caaa", "abaa")

            def order(txn: Transaction) -> list[bytes]:
                return [patient.public for patient in txn.oldest_patients()]

            assert index.write(order) == [public("b"), public("c"), public("a")]

            def protect(txn: Transaction) -> None:
                txn.set_protected(_present(txn.resource(Level.PATIENT, public("b"))), True)

            index.write(protect)
            assert index.write(order) == [public("c"), public("a")]

            def free(txn: Transaction) -> None:
                txn.set_protected(_present(txn.resource(Level.PATIENT, public("b"))), False)

            index.write(free)
            assert index.write(order) == [public("c"), public("a"), public("b")]

    def test_cargo_does_not_matter_to_the_result(self) -> None:
        with self.open_index() as index:
            asked: list[int] = []

            def cargo(result: int) -> list[tuple[str, bytes]]:
                asked.append(result)
                return [("name", b"bytes")]

            assert index.write(lambda txn: 7, cargo) == 7
            assert asked == ([7] if index.carries_cargo else asked)

    # Writers

    def test_a_writer_of_threads(self) -> None:
        with self.open_index() as index:
            notes = _Notes()
            writer = index.writer(notes)
            outcomes = self._submitted(writer.submit)
            writer.stop()
            self._check(index, outcomes, notes)

    def test_a_writer_of_an_event_loop(self) -> None:
        with self.open_index() as index:
            notes = _Notes()

            async def work() -> dict[str, object]:
                writer = index.writer(notes, asyncio.get_running_loop())
                promises = {write.path: _loop_future() for write in _writes()}
                for write in _writes():
                    writer.submit(write, promises[write.path])
                results = await asyncio.gather(*promises.values(), return_exceptions=True)
                await asyncio.to_thread(writer.stop)
                return dict(zip(promises, results, strict=True))

            self._check(index, asyncio.run(work()), notes)
            assert asyncio.run(index.read_async(lambda view: view.totals().resources[0])) == 2

    def _submitted(self, submit: Callable[[Write[Any], Future[Any]], None]) -> dict[str, object]:
        promises: dict[str, Future[Any]] = {}
        for write in _writes():
            promises[write.path] = Future()
            submit(write, promises[write.path])
        return {
            path: promise.exception(30) or promise.result(30) for path, promise in promises.items()
        }

    def _check(self, index: Index, outcomes: dict[str, object], notes: _Notes) -> None:
        assert outcomes["aaaa"] == "aaaa"
        assert outcomes["aaab"] == "aaab"
        for path in ("bbbb", "cccc", "dddd"):
            assert isinstance(outcomes[path], Refused), path
        stored = index.read(lambda view: view.listing(Level.INSTANCE))
        assert stored == [public("aaaa"), public("aaab"), public("dddd")]
        assert sorted(notes.prepared) == ["aaaa", "aaab", "bbbb", "cccc", "dddd"]
        assert notes.stored == {
            "aaaa": True,
            "aaab": True,
            "bbbb": False,
            "cccc": False,
            "dddd": True,  # is durable, though its answer failed
        }


def _writes() -> list[_Store]:
    return [
        _Store("aaaa"),
        _Store("bbbb", "before"),
        _Store("cccc", "apply"),
        _Store("dddd", "finish"),
        _Store("aaab"),
    ]


def _loop_future() -> "asyncio.Future[Any]":
    return asyncio.get_running_loop().create_future()


def _present(resource: Resource | None) -> Resource:
    assert resource is not None
    return resource


def _set_name(value: bytes, transaction: Transaction) -> None:
    transaction.set_property("name", value)


def _compare_many_with_single(snapshot: Snapshot) -> None:
    for level in Level:
        publics = snapshot.listing(level)
        found = snapshot.resources(level, publics)
        assert found == [snapshot.resource(level, each) for each in publics]
        present = [_present(each) for each in found]
        assert snapshot.parents_of(present) == [snapshot.parent(each) for each in present]
        children = [snapshot.children_packed(each) for each in present]
        assert snapshot.children_of(present) == children
        assert [list(unpack(each)) for each in children] == [
            snapshot.children(each) for each in present
        ]
        assert snapshot.images_of(present) == [snapshot.image(each) for each in present]
        assert snapshot.metadata_of(present) == [snapshot.metadata(each) for each in present]
        texts = snapshot.signatures({each.signature for each in present})
        assert all(snapshot.signature(number) == text for number, text in texts.items())
        assert [snapshot.exists(level, each) for each in publics] == [True] * len(publics)
