"""Two servers that exchange a study, by peer store (HTTP) and by C-STORE; the same bytes through
nginx; and senders alone, to nginx, which takes uploads without keeping them.

What is measured is the request that sends and waits for the job. All that is stored is durable.
"""

import time
from contextlib import ExitStack
from math import nan
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import httpx
from support import generated
from support.ports import free_port
from support.process import ServerProcess
from support.reference_server import DebianServer, ReferenceServer
from support.server import OurServer

from bench.compare import DURABLE, OURS, SECONDS_AFTER, Goal, Pair, Row
from bench.load import Load
from bench.measure import memory_of_job
from bench.web_server import downloaded, nginx

SLICES = 400
SMALL = 2000
MANY = 20_000


class Study(NamedTuple):
    """What is sent: the identifier, how many instances, and their bytes together."""

    identifier: str
    instances: int
    size: int


class ExchangePair(Pair):
    """Our server and those that it is measured by, each with a study of CT slices and one of small
    instances; and more servers, which receive."""

    def __init__(self) -> None:
        super().__init__()
        self.ours = OurServer(self.folder / "ours", {**DURABLE, **OURS})
        self.theirs = ReferenceServer(self.folder / "theirs", dict(DURABLE))
        self.older = DebianServer(self.folder / "older", dict(DURABLE))
        door = {"DicomServerEnabled": True, "DicomCheckCalledAet": False}
        self.receivers: dict[str, ServerProcess] = {
            "ours": OurServer(self.folder / "to-ours", _with_port({**DURABLE, **OURS, **door})),
            "1.13.0": ReferenceServer(self.folder / "to-theirs", _with_port({**DURABLE, **door})),
        }

    def __enter__(self) -> "ExchangePair":
        super().__enter__()
        for receiver in self.receivers.values():
            self._stack.enter_context(receiver)
        for server in self.servers:
            with httpx.Client(base_url=server.url, timeout=60) as client:
                for name, receiver in self.receivers.items():
                    name = name.replace(".", "-")
                    port = receiver.configuration["DicomPort"]
                    client.put(f"/peers/{name}", json=[receiver.url]).raise_for_status()
                    modality = ["RECEIVER", "127.0.0.1", port]
                    client.put(f"/modalities/{name}", json=modality).raise_for_status()
        return self

    def fill(self, template: generated.Template, patient: int, count: int) -> Study:
        """The same study on all senders."""
        size = 0
        for server in self.servers:
            size = 0
            with httpx.Client(base_url=server.url, timeout=60) as client:
                for number in range(count):
                    data = template.number(patient, patient, 1, number)
                    size += len(data)
                    found = client.post("/instances", content=data).json()
        return Study(found["ParentStudy"], count, size)


def _with_port(options: dict[str, Any]) -> dict[str, Any]:
    return {**options, "DicomPort": free_port()}


def exchange(rounds: int, quick: bool) -> tuple[list[Row], list[str]]:
    """The rows of senders, and notes about two servers that exchange a study."""
    scale = 10 if quick else 1
    with ExitStack() as stack:
        pair = stack.enter_context(ExchangePair())
        ct = pair.fill(generated.ct_slice(), 1, SLICES // scale)
        small = pair.fill(generated.small(), 2, SMALL // scale)
        files = pair.folder / "files"
        names = _write_files(files, ct.instances)
        url = stack.enter_context(nginx(pair.folder / "nginx", files))
        for server in pair.servers:
            httpx.put(f"{server.url}/peers/nginx", json=[url]).raise_for_status()
        rows = [
            _row(pair, "Peer store, CT, to nginx", ct, {}, Goal(1, 1), rounds),
            _row(pair, "the same, 10 KB", small, {}, Goal(1.5, 1), rounds),
            _row(pair, "the same, CT, compressed", ct, {"Compress": True}, Goal(3, 0.3), rounds),
        ]
        seconds = [downloaded(url, names, pair.folder) for _ in range(rounds + 1)]
        speed = ct.size / median(seconds[1:]) / 1e6
        notes = [f"{ct.size / 1e6:.0f} MB from nginx by curl, one connection: {speed:.0f} MB/s."]
        notes += _exchanged(pair, ct, small, rounds)
        notes.append(_memory(pair, MANY // scale))
        return rows, notes


def _write_files(folder: Path, count: int) -> list[str]:
    folder.mkdir()
    template, names = generated.ct_slice(), [f"{number}.dcm" for number in range(count)]
    for number, name in enumerate(names):
        (folder / name).write_bytes(template.number(1, 1, 1, number))
    return names


def _row(
    pair: Pair, name: str, study: Study, options: dict[str, Any], goal: Goal, rounds: int
) -> Row:
    def work(server: ServerProcess, number: int) -> Load:
        return Load(study.instances, _sent(server, "peers/nginx", study, options), nan, nan)

    return pair.compare(name, goal, rounds, work, SECONDS_AFTER)


def _sent(server: ServerProcess, target: str, study: Study, options: dict[str, Any]) -> float:
    """Seconds until all is there."""
    body = {"Resources": [study.identifier], "Synchronous": True, **options}
    began = time.perf_counter()
    answer = httpx.post(f"{server.url}/{target}/store", json=body, timeout=600)
    seconds = time.perf_counter() - began
    found = answer.json()
    if found.get("InstancesCount") != study.instances or found["FailedInstancesCount"]:
        raise RuntimeError(f"not all was sent: {answer.text}")
    return seconds


def _exchanged(pair: ExchangePair, ct: Study, small: Study, rounds: int) -> list[str]:
    """Who sends what to whom, and how fast."""
    found = []
    senders = {"ours": pair.ours, "1.13.0": pair.theirs}
    for sender, server in senders.items():
        for name, receiver in pair.receivers.items():
            for way, path in (("peer store", "peers"), ("C-STORE", "modalities")):
                target = f"{path}/{name.replace('.', '-')}"
                took = {
                    study: _median(server, receiver, target, study, rounds) for study in (ct, small)
                }
                found.append(
                    f"{sender} to {name} by {way}: CT {ct.size / took[ct] / 1e6:.0f} MB/s, "
                    f"10 KB {small.instances / took[small]:,.0f}/s."
                )
                print(found[-1], flush=True)
    return found


def _median(
    server: ServerProcess, receiver: ServerProcess, target: str, study: Study, rounds: int
) -> float:
    """The receiver forgets the study after each round; the first does not count."""
    took = []
    for _ in range(rounds + 1):
        took.append(_sent(server, target, study, {}))
        gone = httpx.delete(f"{receiver.url}/studies/{study.identifier}", timeout=600)
        gone.raise_for_status()
        time.sleep(SECONDS_AFTER)
    return median(took[1:])


def _memory(pair: ExchangePair, count: int) -> str:
    """Anonymous memory of our processes while many small instances are sent by one job."""
    study = pair.fill(generated.small(), 3, count)
    assert pair.ours.process is not None
    with httpx.Client(base_url=pair.ours.url, timeout=600) as client:
        body = {"Resources": [study.identifier], "Asynchronous": True}
        job = client.post("/peers/nginx/store", json=body).json()["ID"]
        meanwhile = memory_of_job(client, job, pair.ours.process.pid)
    return f"Ours, {count:,} instances of 10 KB sent to nginx by one job in {meanwhile}"
