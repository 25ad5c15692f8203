"""The jobs that retrieve, one at a time in this process, against one peer."""

import os
import threading
import time
from typing import Any

from support import generated
from support.dicom_door import Shelf
from support.job_run import KeptRun
from support.retrieve_scp import RetrieveScp

from orthanc_fast.config import Settings
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.model import Level
from orthanc_fast.runtime.memory import MemoryRuntime
from orthanc_fast.services.exchange.modalities import Modality
from orthanc_fast.services.ingest.contract import UploadMemory
from orthanc_fast.services.jobs.contract import Stopped
from orthanc_fast.services.scp.policy import ScpPolicy
from orthanc_fast.services.scu.associating import Associations
from orthanc_fast.services.scu.get_job import GetJob, Receiving
from orthanc_fast.services.scu.identifiers import Identifier
from orthanc_fast.services.scu.move_job import MoveJob
from orthanc_fast.services.scu.moves import Moves
from orthanc_fast.services.scu.retrieve_orders import RetrieveOrder, Wanted, encode_order

LEVEL, STUDY, PATIENT = 0x00080052, 0x0020000D, 0x00100020
FILES = [generated.small().number(1, 1, 1, number) for number in range(4)]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def wanted(*uids: str, **fields: Any) -> tuple[Wanted, ...]:
    return tuple(
        Wanted(
            **{
                "level": Level.STUDY,
                "tags": {LEVEL: "STUDY", STUDY: uid},
                "is_found": False,
                **fields,
            }
        )
        for uid in uids or ("1.2.3",)
    )


class Site:
    """One server's jobs, against one peer; what they leave of threads and descriptors is looked at
    after each."""

    def __init__(self, scp: RetrieveScp, shelf: Shelf, **raw: Any) -> None:
        self.scp = scp
        self.port = scp.port  # of the peer
        self.shelf = shelf
        settings = Settings(dicom_aet="HERE", raw={"DicomScuTimeout": 2, **raw})
        self.associations = Associations(settings)
        self.memory = UploadMemory(1 << 20)
        self.moves = Moves(MemoryRuntime())
        self.largest = 1 << 20
        self.policy = ScpPolicy(raw)

    def keys(self, tags: dict[int, str], syntax: str) -> bytes:
        return Identifier(tags, Dictionary(), "Latin1").encoded(syntax)

    def modality(self, **fields: Any) -> Modality:
        return Modality(**{"aet": "SCP", "host": "127.0.0.1", "port": self.port, **fields})

    def order(self, target: str | None, *each: Wanted, **fields: Any) -> bytes:
        return encode_order(
            RetrieveOrder(
                modality=self.modality(**fields.pop("modality", {})),
                local_aet="HERE",
                target=target,
                timeout=fields.pop("timeout", None),
                permissive=fields.pop("permissive", False),
                wanted=each or wanted(),
            )
        )

    def get(self, *each: Wanted, **fields: Any) -> KeptRun:
        return self.ran(KeptRun(self.order(None, *each, **fields)))

    def move(self, *each: Wanted, **fields: Any) -> KeptRun:
        return self.ran(KeptRun(self.order("TARGET", *each, **fields)))

    def ran(self, run: KeptRun) -> KeptRun:
        threads, files = threading.active_count(), descriptors()
        self.last = run
        try:
            self.run(run)
        finally:
            # The peer is in this process too, and may need a moment.
            deadline = time.monotonic() + 5
            while threading.active_count() > threads or descriptors() > files:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            assert self.memory.used == 0
        return run

    def run(self, run: KeptRun) -> None:
        receiving = Receiving(self.shelf, self.memory, self.largest, self.policy)
        kind = (
            MoveJob(self.associations, self.keys, self.moves)
            if b"TARGET" in run.payload
            else GetJob(self.associations, self.keys, receiving)
        )
        kind.run(run)


def details(run: KeptRun) -> list[tuple[int, int]]:
    """Of each resource the status, and how many instances came."""
    return [(each.status, len(each.received)) for each in run.content["Details"]]


def stop_after(count: int) -> Any:
    calls = iter(range(1000))

    def on_step(done: int, total: int) -> None:
        if next(calls) >= count:
            raise Stopped

    return on_step
