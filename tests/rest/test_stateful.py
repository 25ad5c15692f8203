"""Random operations on a running server and on a model of plain dictionaries, everything compared
after each step; and writers at the same time, whose traces must agree afterwards.

The server has two HTTP workers. Writes go over one connection, checks over others, so that what one
process writes another one reads.
"""

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import md5
from typing import Any

import httpx
import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from support import generated
from support.server import OurServer

PLURALS = ("patients", "studies", "series", "instances")
NAMES = ("Patient", "Study", "Series", "Instance")
CHILDREN = ("Studies", "Series", "Instances")
LABELS = ("red", "blue", "Red-2")
NUMBERS = (1024, 1025)
SHOWN = "Children;Parent;Labels;Metadata;Attachments;IsProtected"

Path = tuple[int, ...]  # numbers of a patient, study...: as deep as the level

ALL_INSTANCES = [
    (patient, study, series, instance)
    for patient in range(2)
    for study in range(2)
    for series in range(2)
    for instance in range(2)
]
ALL = sorted({path[:depth] for path in ALL_INSTANCES for depth in range(1, 5)})


def uids(path: Path) -> list[str]:
    patient, study, series, instance = (*path, 0, 0, 0)[:4]
    found = [f"PATIENT{patient:010d}", f"{generated.ROOT}.4{study:09d}"]
    found += [f"{found[1]}.5{series:09d}"]
    return [*found, f"{found[2]}.6{instance:09d}"][: len(path)]


IDS = {path: generated.identifier(*uids(path)) for path in ALL}
PATHS = {identifier: path for path, identifier in IDS.items()}


def described(description: str) -> generated.Template:
    dataset = generated.base()
    dataset.StudyDescription = description
    return generated.encode(dataset)


# The studies with an even sum of numbers are of another kind.
DESCRIPTIONS = ("Thorax", "Abdomen with contrast")
TEMPLATES = [described(each) for each in DESCRIPTIONS]
FILES: dict[Path, bytes] = {
    path: TEMPLATES[(path[0] + path[1]) % 2].number(*path) for path in ALL_INSTANCES
}


def url(path: Path) -> str:
    return f"/{PLURALS[len(path) - 1]}/{IDS[path]}"


class Resource:
    """What a model knows of one resource besides what its path says."""

    def __init__(self) -> None:
        self.labels: set[str] = set()
        self.metadata: dict[int, tuple[int, bytes]] = {}  # number -> revision, value
        self.attachments: dict[int, tuple[int, bytes]] = {}  # the same
        self.protected = False  # patients only


class Model:
    """What the server should hold."""

    def __init__(self) -> None:
        self.resources: dict[Path, Resource] = {}
        self.changes: list[tuple[str, Path]] = []

    def level(self, depth: int) -> list[Path]:
        """The resources of a level by identifier."""
        return sorted((path for path in self.resources if len(path) == depth), key=IDS.get)  # type: ignore[arg-type]

    def below(self, path: Path) -> list[Path]:
        depth = len(path)
        return [each for each in self.level(depth + 1) if each[:depth] == path]

    def store(self, path: Path) -> bool:
        """Whether the instance is new."""
        if path in self.resources:
            return False
        for depth in (4, 3, 2, 1):
            if path[:depth] not in self.resources:
                self.resources[path[:depth]] = Resource()
                self.changes.append((f"New{NAMES[depth - 1]}", path[:depth]))
        return True

    def delete(self, path: Path) -> Path | None:
        """The lowest ancestor that remains."""
        gone = {each for each in self.resources if each[: len(path)] == path}
        remaining = path[:-1]
        while remaining and all(each in gone for each in self.below(remaining)):
            gone.add(remaining)
            remaining = remaining[:-1]
        for each in gone:
            del self.resources[each]
        self.changes = [(kind, each) for kind, each in self.changes if each not in gone]
        return remaining or None


class Machine(RuleBasedStateMachine):
    """`clients` are set by the test that runs it."""

    clients: list[httpx.Client]

    @initialize()
    def empty(self) -> None:
        self.model = Model()
        self.writer, *self.readers = self.clients
        for identifier in self.writer.get("/patients").json():
            self.writer.delete(f"/patients/{identifier}").raise_for_status()
        self.first = self.writer.get("/changes?last").json()["Last"]
        self.turn = 0

    def get(self, path: str) -> Any:
        """The answer of one reader, each in turn."""
        self.turn += 1
        answer = self.readers[self.turn % len(self.readers)].get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any) -> Any:
        self.turn += 1
        answer = self.readers[self.turn % len(self.readers)].post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    # Writes

    @rule(paths=st.lists(st.sampled_from(ALL_INSTANCES), min_size=1, max_size=4))
    def upload(self, paths: list[Path]) -> None:
        for path in paths:
            answer = self.writer.post("/instances", content=FILES[path]).json()
            new = self.model.store(path)
            assert answer["ID"] == IDS[path]
            assert answer["Status"] == ("Success" if new else "AlreadyStored")

    @rule(path=st.sampled_from(ALL))
    def delete(self, path: Path) -> None:
        answer = self.writer.delete(url(path))
        if path not in self.model.resources:
            assert (answer.status_code, answer.content) == (404, b"")
            return
        remaining = self.model.delete(path)
        found = answer.json()["RemainingAncestor"]
        assert (found and PATHS[found["ID"]]) == remaining

    @rule(paths=st.lists(st.sampled_from(ALL), min_size=1, max_size=3))
    def bulk_delete(self, paths: list[Path]) -> None:
        body = {"Resources": [IDS[path] for path in paths]}
        assert self.writer.post("/tools/bulk-delete", json=body).status_code == 200
        for path in paths:
            if path in self.model.resources:
                self.model.delete(path)

    @rule(
        path=st.sampled_from(ALL),
        number=st.sampled_from(NUMBERS),
        value=st.sampled_from([b"", b"a", b"B", "é".encode()]),
        match=st.sampled_from(["none", "current", "stale"]),
    )
    def put_metadata(self, path: Path, number: int, value: bytes, match: str) -> None:
        resource = self.model.resources.get(path)
        current = None if resource is None else resource.metadata.get(number)
        answer = self.writer.put(
            f"{url(path)}/metadata/{number}", content=value, headers=if_match(current, match)
        )
        if resource is None:
            assert answer.status_code == 404
        elif current and match == "stale":
            assert answer.status_code == 409
        else:
            revision = current[0] + 1 if current else 0
            resource.metadata[number] = (revision, value)
            assert answer.headers["etag"] == etag(revision, value)
            self.model.changes.append(("UpdatedMetadata", path))

    @rule(
        path=st.sampled_from(ALL),
        number=st.sampled_from(NUMBERS),
        match=st.sampled_from(["none", "current", "stale"]),
    )
    def delete_metadata(self, path: Path, number: int, match: str) -> None:
        resource = self.model.resources.get(path)
        current = None if resource is None else resource.metadata.get(number)
        answer = self.writer.delete(
            f"{url(path)}/metadata/{number}", headers=if_match(current, match)
        )
        if not resource or not current:
            assert answer.status_code == 404
        elif match == "stale":
            assert answer.status_code == 409
        else:
            assert answer.status_code == 200
            del resource.metadata[number]
            self.model.changes.append(("UpdatedMetadata", path))

    @rule(
        path=st.sampled_from(ALL),
        number=st.sampled_from(NUMBERS),
        value=st.sampled_from([b"", b"a", bytes(1000)]),
        match=st.sampled_from(["none", "current", "stale"]),
    )
    def put_attachment(self, path: Path, number: int, value: bytes, match: str) -> None:
        resource = self.model.resources.get(path)
        current = None if resource is None else resource.attachments.get(number)
        answer = self.writer.put(
            f"{url(path)}/attachments/{number}", content=value, headers=if_match(current, match)
        )
        if resource is None:
            assert answer.status_code == 404
        elif current and match == "stale":
            assert answer.status_code == 409
        else:
            revision = current[0] + 1 if current else 0
            resource.attachments[number] = (revision, value)
            assert answer.headers["etag"] == etag(revision, value)
            self.model.changes.append(("UpdatedAttachment", path))

    @rule(
        path=st.sampled_from(ALL),
        number=st.sampled_from(NUMBERS),
        match=st.sampled_from(["none", "current", "stale"]),
    )
    def delete_attachment(self, path: Path, number: int, match: str) -> None:
        resource = self.model.resources.get(path)
        current = None if resource is None else resource.attachments.get(number)
        answer = self.writer.delete(
            f"{url(path)}/attachments/{number}", headers=if_match(current, match)
        )
        if not resource or not current:
            assert answer.status_code == 404
        elif match == "stale":
            assert answer.status_code == 409
        else:
            assert answer.status_code == 200
            del resource.attachments[number]
            self.model.changes.append(("UpdatedAttachment", path))

    @rule(patient=st.integers(0, 1), protected=st.booleans())
    def protect(self, patient: int, protected: bool) -> None:
        resource = self.model.resources.get((patient,))
        content = b"1" if protected else b"0"
        answer = self.writer.put(f"{url((patient,))}/protected", content=content)
        assert answer.status_code == (400 if resource is None else 200)
        if resource is not None:
            resource.protected = protected

    @rule(path=st.sampled_from(ALL), label=st.sampled_from(LABELS), there=st.booleans())
    def set_label(self, path: Path, label: str, there: bool) -> None:
        method = "PUT" if there else "DELETE"
        answer = self.writer.request(method, f"{url(path)}/labels/{label}")
        resource = self.model.resources.get(path)
        assert answer.status_code == (404 if resource is None else 200)
        if resource is not None:
            (resource.labels.add if there else resource.labels.discard)(label)

    # Reads

    @rule(
        depth=st.integers(1, 4),
        labels=st.lists(st.sampled_from(LABELS), max_size=2),
        constraint=st.sampled_from(["All", "Any", "None"]),
        metadata=st.none() | st.sampled_from(["a", "b*", "*", "a\\B"]),
        patient=st.none() | st.integers(0, 1),
        description=st.none() | st.sampled_from(DESCRIPTIONS),
        since=st.integers(0, 3),
        limit=st.integers(0, 3),
    )
    def find(
        self,
        depth: int,
        labels: list[str],
        constraint: str,
        metadata: str | None,
        patient: int | None,
        description: str | None,
        since: int,
        limit: int,
    ) -> None:
        query, wanted = {}, self.model.level(depth)
        if patient is not None:
            query["PatientID"] = uids((patient,))[0].lower()
            wanted = [path for path in wanted if path[0] == patient]
        if description is not None and depth > 1:
            query["StudyDescription"] = description[:4] + "*"
            kind = DESCRIPTIONS.index(description)
            wanted = [path for path in wanted if (path[0] + path[1]) % 2 == kind]
        wanted = [path for path in wanted if self.has_labels(path, labels, constraint)]
        asked = {"Level": NAMES[depth - 1], "Query": query}
        asked |= {"Labels": labels, "LabelsConstraint": constraint}
        if metadata is not None:
            asked["MetadataQuery"] = {str(NUMBERS[0]): metadata}
            wanted = [path for path in wanted if self.has_metadata(path, metadata)]
        found = self.post("/tools/find", {**asked, "Since": since, "Limit": limit})
        assert found == [IDS[path] for path in wanted[since : since + limit if limit else None]]
        assert self.post("/tools/count-resources", asked) == {"Count": len(wanted)}

    def has_labels(self, path: Path, labels: list[str], constraint: str) -> bool:
        own = self.model.resources[path].labels
        if constraint == "None":
            return not own & set(labels) if labels else not own
        if constraint == "Any" and labels:
            return bool(own & set(labels))
        return set(labels) <= own or constraint == "Any"

    def has_metadata(self, path: Path, text: str) -> bool:
        current = self.model.resources[path].metadata.get(NUMBERS[0])
        if current is None:
            return False
        value = current[1].decode().lower()
        return {"a": value == "a", "b*": value[:1] == "b", "*": True, "a\\B": value in ("a", "b")}[
            text
        ]

    @rule(depth=st.integers(1, 4), since=st.integers(0, 9), limit=st.integers(0, 4))
    def page(self, depth: int, since: int, limit: int) -> None:
        everything = [IDS[path] for path in self.model.level(depth)]
        found = self.get(f"/{PLURALS[depth - 1]}?since={since}&limit={limit}")
        assert found == everything[since : since + limit if limit else None]

    @rule(path=st.sampled_from(ALL))
    def one(self, path: Path) -> None:
        answer = self.readers[0].get(url(path))
        if path not in self.model.resources:
            assert (answer.status_code, answer.content) == (404, b"")
            return
        if len(path) < 4:
            children = [IDS[child] for child in self.model.below(path)]
            assert answer.json()[CHILDREN[len(path) - 1]] == children
        sizes = self.get(f"{url(path)}/statistics")
        files = self.files_below(path)
        assert int(sizes["DicomDiskSize"]) == sum(len(FILES[each]) for each in files)
        assert int(sizes["DiskSize"]) == self.disk_size(path)
        if len(path) < 4:
            assert sizes["CountInstances"] == len(files)
        for number, (revision, value) in self.model.resources[path].metadata.items():
            answer = self.readers[0].get(f"{url(path)}/metadata/{number}")
            assert (answer.content, answer.headers["etag"]) == (value, etag(revision, value))
        for number, (revision, value) in self.model.resources[path].attachments.items():
            answer = self.readers[0].get(f"{url(path)}/attachments/{number}/data")
            assert (answer.content, answer.headers["etag"]) == (value, etag(revision, value))

    def disk_size(self, path: Path) -> int:
        """Bytes of all attachments at and below; of everything for ()."""
        attached = [
            len(value)
            for each, resource in self.model.resources.items()
            if each[: len(path)] == path
            for _, value in resource.attachments.values()
        ]
        return sum(attached) + sum(len(FILES[each]) for each in self.files_below(path))

    def files_below(self, path: Path) -> list[Path]:
        return [each for each in self.model.level(4) if each[: len(path)] == path]

    # After each step

    @invariant()
    def same(self) -> None:
        labels = set()
        for depth in range(1, 5):
            shown = self.get(f"/{PLURALS[depth - 1]}?response-content={SHOWN}")
            assert shown == [self.shown(each, entry) for each, entry in zip(
                self.model.level(depth), shown, strict=True
            )]  # fmt: skip
            labels |= {label for entry in shown for label in entry["Labels"]}
        assert self.get("/tools/labels") == sorted(labels)
        totals = self.get("/statistics")
        for depth, plural in enumerate(PLURALS, start=1):
            assert totals[f"Count{plural.title()}"] == len(self.model.level(depth))
        size = self.disk_size(())
        assert totals["TotalDiskSize"] == totals["TotalUncompressedSize"] == str(size)
        changes = self.get(f"/changes?since={self.first}&limit=100000")["Changes"]
        assert [(each["ChangeType"], PATHS[each["ID"]]) for each in changes] == self.model.changes
        numbers = [each["Seq"] for each in changes]
        assert numbers == sorted(set(numbers))

    def shown(self, path: Path, entry: dict[str, Any]) -> dict[str, Any]:
        """A resource as the server should show it; built-in metadata are taken over."""
        resource, depth = self.model.resources[path], len(path)
        known = {key: text for key, text in entry["Metadata"].items() if not key.isdigit()}
        users = {str(n): value.decode() for n, (_, value) in resource.metadata.items()}
        expected = {
            "ID": IDS[path],
            "Type": NAMES[depth - 1],
            "Labels": sorted(resource.labels),
            "Metadata": known | users,
            "Attachments": entry["Attachments"],
        }
        attached = {each["ContentType"]: each["UncompressedSize"] for each in entry["Attachments"]}
        own = {number: len(value) for number, (_, value) in resource.attachments.items()}
        assert attached == (own | {1: len(FILES[path])} if depth == 4 else own)
        if depth == 1:
            expected["IsProtected"] = resource.protected
        if depth > 1:
            expected[f"Parent{NAMES[depth - 2]}"] = IDS[path[:-1]]
        if depth < 4:
            expected[CHILDREN[depth - 1]] = [IDS[child] for child in self.model.below(path)]
        return expected


def etag(revision: int, value: bytes) -> str:
    return f'"{revision}-{md5(value).hexdigest()}"'


def if_match(current: tuple[int, bytes] | None, match: str) -> dict[str, str]:
    if match == "none":
        return {}
    revision, value = current or (0, b"")
    return {"If-Match": etag(revision + (match == "stale"), value)}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    options = {"HttpWorkers": 2, "StableAge": 1_000_000}
    with OurServer(tmp_path_factory.mktemp("stateful"), options) as running:
        yield running


def test_as_a_model(server: OurServer) -> None:
    # Four connections: it is the kernel that deals them to the workers.
    with (
        httpx.Client(base_url=server.url, timeout=30) as a,
        httpx.Client(base_url=server.url, timeout=30) as b,
        httpx.Client(base_url=server.url, timeout=30) as c,
        httpx.Client(base_url=server.url, timeout=30) as d,
    ):
        machine = type("ConnectedMachine", (Machine,), {"clients": [a, b, c, d]})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=12,
                stateful_step_count=25,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )


WRITERS = 6
OPERATIONS = 60


def test_concurrent_writers(server: OurServer) -> None:
    """No lost updates, no counters that drift, no parents without children."""
    with httpx.Client(base_url=server.url, timeout=60) as client:
        for identifier in client.get("/patients").json():
            client.delete(f"/patients/{identifier}").raise_for_status()
        client.post("/instances", content=FILES[0, 0, 0, 0]).raise_for_status()
        client.post("/instances", content=FILES[1, 0, 0, 0]).raise_for_status()
        # The second patient stays, for all to write to.
        with ThreadPoolExecutor(WRITERS) as pool:
            written = list(pool.map(lambda seed: random_writes(server, seed), range(WRITERS)))
        check_hierarchy(client)
        shared = IDS[1,]
        expected = Counter(number for won in written for number in won)
        for number in NUMBERS:
            answer = client.get(f"/patients/{shared}/metadata/{number}")
            revision = int(answer.headers["etag"].strip('"').split("-")[0])
            assert revision == expected[number] - 1


def random_writes(server: OurServer, seed: int) -> list[int]:
    """Uploads, deletions and labels anywhere in the first patient, metadata of the second; returns
    the numbers of metadata that were written."""
    rng, won = random.Random(seed), []
    mine = [path for path in ALL if path[0] == 0]
    with httpx.Client(base_url=server.url, timeout=60) as client:
        for _ in range(OPERATIONS):
            path = rng.choice(mine)
            draw = rng.random()
            if draw < 0.4:
                instance = rng.choice([each for each in ALL_INSTANCES if each[0] == 0])
                answer = client.post("/instances", content=FILES[instance])
                assert answer.status_code == 200, answer.text
            elif draw < 0.6:
                answer = client.delete(url(path))
                assert answer.status_code in (200, 404), answer.text
            elif draw < 0.75:
                method = rng.choice(["PUT", "DELETE"])
                answer = client.request(method, f"{url(path)}/labels/{rng.choice(LABELS)}")
                assert answer.status_code in (200, 404), answer.text
            else:
                number = rng.choice(NUMBERS)
                target = f"/patients/{IDS[1,]}/metadata/{number}"
                answer = client.put(target, content=f"{seed}".encode())
                assert answer.status_code == 200, answer.text
                won.append(number)
    return won


def check_hierarchy(client: httpx.Client) -> None:
    """Parents, children, counters and searches agree with one another."""
    levels = [client.get(f"/{plural}?expand").json() for plural in PLURALS]
    totals = client.get("/statistics").json()
    for plural, found in zip(PLURALS, levels, strict=True):
        assert totals[f"Count{plural.title()}"] == len(found)
    size = sum(instance["FileSize"] for instance in levels[3])
    assert int(totals["TotalDiskSize"]) == size
    for depth in range(3):
        children = {each["ID"]: each for each in levels[depth + 1]}
        listed = [child for parent in levels[depth] for child in parent[CHILDREN[depth]]]
        assert sorted(listed) == sorted(children)
        for parent in levels[depth]:
            assert parent[CHILDREN[depth]]  # a parent goes with its last child
            for child in parent[CHILDREN[depth]]:
                assert children[child][f"Parent{NAMES[depth]}"] == parent["ID"]
    for depth, plural in enumerate(PLURALS):
        instances = "CountInstances"
        sizes = [client.get(f"/{plural}/{each['ID']}/statistics").json() for each in levels[depth]]
        assert sum(int(each["DiskSize"]) for each in sizes) == size
        if depth < 3:
            assert sum(each[instances] for each in sizes) == len(levels[3])
        found = client.post("/tools/find", json={"Level": NAMES[depth], "Query": {}}).json()
        assert found == [each["ID"] for each in levels[depth]]
        for label in LABELS:
            body = {"Level": NAMES[depth], "Query": {}, "Labels": [label]}
            labelled = client.post("/tools/find", json=body).json()
            assert labelled == [each["ID"] for each in levels[depth] if label in each["Labels"]]


def test_revisions_never_collide(server: OurServer) -> None:
    """Of writers that know the same version, exactly one wins."""
    with httpx.Client(base_url=server.url, timeout=60) as client:
        client.post("/instances", content=FILES[1, 1, 1, 1]).raise_for_status()
        target = f"{url((1, 1, 1, 1))}/metadata/1026"
        version = client.put(target, content=b"first").headers["etag"]
        connections = [httpx.Client(base_url=server.url, timeout=60) for _ in range(WRITERS)]
        try:
            with ThreadPoolExecutor(WRITERS) as pool:
                for round_ in range(15):
                    known, contents = version, [f"{round_} {n}" for n in range(WRITERS)]
                    answers = list(
                        pool.map(
                            lambda pair, known=known: pair[0].put(
                                target, content=pair[1].encode(), headers={"If-Match": known}
                            ),
                            zip(connections, contents, strict=True),
                        )
                    )
                    won = [answer for answer in answers if answer.status_code == 200]
                    assert len(won) == 1
                    assert {each.status_code for each in answers} == {200, 409}
                    version = won[0].headers["etag"]
                    assert version.startswith(f'"{round_ + 1}-')
                    now = client.get(target)
                    assert now.headers["etag"] == version
                    assert now.text == contents[answers.index(won[0])]
        finally:
            for connection in connections:
                connection.close()
