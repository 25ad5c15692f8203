"""What scripts want to be done with what has arrived: SendToModality, SendToPeer, ModifyInstance,
Delete, CallSystem. Source: reference chapter 4, sections 9.4 and 9.5.

The operations of all events are done one after the other, by a thread of the script process, as one
job `SequenceOfOperations`, which ends when there was nothing to do for five seconds. An event is
done with when its operations are: those of a process that was killed are done again by the next
one.
"""

import asyncio
import contextlib
import subprocess
import tempfile
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import msgspec

from orthanc_fast.config_options import Values
from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.errors import BadFileFormat, OrthancError
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Level, Resource
from orthanc_fast.registries import MODIFIED_FROM
from orthanc_fast.scripting.lua.functions import LUA
from orthanc_fast.services.browse.describe import PLURALS
from orthanc_fast.services.exchange.instances import Instances, chosen
from orthanc_fast.services.ingest.contract import IngestRequest, MadeFrom
from orthanc_fast.services.jobs.contract import Submission
from orthanc_fast.services.jobs.runs import LocalRun
from orthanc_fast.services.scu.sending import Sending

if TYPE_CHECKING:
    from orthanc_fast.scripting.host import Host

JOB: Final = "SequenceOfOperations"
MOST: Final = 1000  # operations that wait; then scripts wait
TRAILING: Final = 5.0  # seconds that the job goes on without an operation


class Operation(msgspec.Struct, frozen=True, rename="pascal"):
    """As the functions of the prelude note it."""

    operation: str
    resource: str
    modality: str = ""
    local_aet: str | None = None
    peer: str = ""
    command: str = ""
    arguments: list[str] | str = []
    replace: dict[str, Any] | list[Any] = {}
    remove: list[str] = []
    remove_private_tags: str | bool = False


def operations_of(json: bytes) -> list[Operation]:
    """Raises BadFileFormat where a script has given an argument of a wrong type."""
    try:
        return msgspec.json.decode(json, type=list[Operation], strict=False)
    except msgspec.ValidationError as error:
        raise BadFileFormat(f"An operation of a Lua script cannot be done: {error}") from error


class Routing:
    """The operations of one process."""

    def __init__(self, host: "Host") -> None:
        self._host = host
        self._changed = threading.Condition()
        self._waiting: deque[tuple[int, list[Operation]]] = deque()  # by event
        self._stopping = False
        self._run: LocalRun | None = None
        self._count = 0
        self._destination: tuple[str, str | None] | None = None
        self._sending: Sending | None = None
        self._close_delay = float(Values(host.settings.raw)("DicomAssociationCloseDelay"))
        self._thread = threading.Thread(target=self._live, name="routing", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Waits so long for the operation in work; what waits comes again after a restart."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(seconds)

    def add(self, sequence: int, operations: list[Operation]) -> None:
        """Those of an event; waits while there are too many. Raises what an unknown modality or
        peer raises: none of them is done then."""
        services = self._host.services
        for each in operations:
            if each.operation == "store-scu":
                services.modalities.get(LUA, each.modality)
            elif each.operation == "store-peer":
                services.peers.get(LUA, each.peer)
        with self._changed:
            while sum(len(each) for _, each in self._waiting) >= MOST and not self._stopping:
                self._changed.wait()
            self._waiting.append((sequence, operations))
            self._changed.notify_all()

    def done(self, position: int) -> int:
        """Up to which event, at most this one, all operations are done."""
        with self._changed:
            return min(position, self._waiting[0][0] - 1) if self._waiting else position

    # The thread

    def _live(self) -> None:
        idle_since = time.monotonic()
        while True:
            with self._changed:
                if not self._waiting and not self._stopping:
                    self._changed.wait(self._patience(idle_since))
                if self._stopping:
                    break
                found = self._waiting[0] if self._waiting else None
            if found is None:
                self._rest(time.monotonic() - idle_since)
                continue
            self._all(found[1])
            with self._changed:
                self._waiting.popleft()
                self._changed.notify_all()
            idle_since = time.monotonic()
        self._hang_up()
        self._end_job()

    def _patience(self, idle_since: float) -> float | None:
        """Seconds until there is something to end, None where there is nothing."""
        ends = [TRAILING] if self._run is not None else []
        ends += [self._close_delay] if self._sending is not None else []
        if not ends:
            return None
        return max(0.01, min(ends) - (time.monotonic() - idle_since))

    def _rest(self, idle: float) -> None:
        if idle >= self._close_delay:
            self._hang_up()
        if idle >= TRAILING:
            self._end_job()

    def _all(self, operations: list[Operation]) -> None:
        """Does the operations of an event: what comes after one that has failed, and takes what it
        gives, is left out."""
        self._count_in(len(operations))
        outputs: list[str] = []
        has_failed = False
        for each in operations:
            is_chained = not each.resource
            if is_chained and has_failed:
                continue
            try:
                outputs = self._do(each, outputs if is_chained else [each.resource])
                has_failed = False
            except Exception as error:  # whatever it was, others go on
                has_failed = True
                text = str(error) if isinstance(error, OrthancError) else repr(error)
                logger.error(Category.LUA, f"Lua: {each.operation} of {each.resource}: {text}")

    def _do(self, operation: Operation, resources: list[str]) -> list[str]:
        """What the next one in the chain takes."""
        match operation.operation:
            case "store-scu":
                self._send(operation, resources)
            case "store-peer":
                self._send_to_peer(operation, resources)
            case "modify":
                return [self._modified(operation, each) for each in resources]
            case "delete":
                for each in self._records(resources):
                    self._host.rest.run(
                        self._host.services.deletion.delete(LUA, each.level, each.public)
                    )
                return []
            case "call-system":
                self._call_system(operation, resources)
        return resources

    def _records(self, resources: list[str]) -> list[Resource]:
        return list(chosen(self._host.services.reads, LUA, resources).resources)

    def _instances(self, resources: list[str]) -> Instances:
        reads = self._host.services.reads
        return Instances(reads, LUA, chosen(reads, LUA, resources).instances)

    # Sending

    def _send(self, operation: Operation, resources: list[str]) -> None:
        """One association stays open for those to the same destination."""
        services = self._host.services
        instances = self._instances(resources)
        destination = (operation.modality, operation.local_aet)
        if self._sending is None or destination != self._destination:
            self._hang_up()
            modality = services.modalities.get(LUA, operation.modality)
            rules = services.senders.rules(modality.allow_transcoding)
            target = services.associations.target(modality, local_aet=operation.local_aet)
            self._sending = services.senders.open(target, instances.presentations(), rules)
            self._destination = destination
        try:
            for each in self._sending.looking_ahead(instances):
                self._sending.send(each)
        except BaseException:
            self._hang_up()
            raise

    def _hang_up(self) -> None:
        sending, self._sending = self._sending, None
        if sending is not None:
            with contextlib.suppress(OrthancError, OSError):
                sending.__exit__(None, None, None)

    def _send_to_peer(self, operation: Operation, resources: list[str]) -> None:
        services = self._host.services
        for each in self._instances(resources):
            if each.file is not None:
                data = services.contents.content_now(each.file)
                self._host.rest.run(self._straight(operation.peer, data))

    async def _straight(self, peer: str, data: bytes) -> None:
        exchange = await self._host.services.peer_exchange()
        await exchange.store_straight(LUA, peer, data)

    # Changing

    def _modified(self, operation: Operation, resource: str) -> str:
        """The identifier of what has been made."""
        (record,) = self._records([resource])
        order = {
            "Replace": operation.replace if isinstance(operation.replace, dict) else {},
            "Remove": operation.remove,
            "RemovePrivateTags": operation.remove_private_tags in (True, "true"),
            "Force": True,
        }
        if record.level != Level.INSTANCE:
            made = msgspec.json.decode(self._posted(record, {**order, "KeepSource": True}))
            return str(made["ID"])
        data = self._posted(record, order)
        services = self._host.services
        chain = services.reads(LUA, lambda view: view.ancestors(record))
        series, study, patient = (each.public for each in chain)
        request = IngestRequest(
            caller=LUA,
            data=data,
            made_from=MadeFrom(MODIFIED_FROM, (patient, study, series, record.public)),
        )
        stored = self._host.rest.run(services.ingest.store(request))
        return to_text(stored.publics[Level.INSTANCE])

    def _posted(self, record: Resource, order: dict[str, Any]) -> bytes:
        """Raises BadFileFormat with what the server says."""
        uri = f"/{PLURALS[record.level]}/{to_text(record.public)}/modify"
        reply = self._host.rest.call(LUA, "POST", uri, msgspec.json.encode(order), builtin=True)
        if not reply.is_success:
            raise BadFileFormat(f"{uri}: {reply.body.decode('utf-8', 'replace')}")
        return reply.body

    def _call_system(self, operation: Operation, resources: list[str]) -> None:
        given = operation.arguments
        arguments = [given] if isinstance(given, str) else given
        services = self._host.services
        for each in self._instances(resources):
            if each.file is None:
                continue
            with tempfile.NamedTemporaryFile(suffix=".dcm") as file:
                file.write(services.contents.content_now(each.file))
                file.flush()
                done = subprocess.run([operation.command, *arguments, file.name], check=False)
            if done.returncode:
                raise OrthancError(f"{operation.command} has ended with {done.returncode}", code=10)

    # The job

    def _count_in(self, operations: int) -> None:
        if self._run is None:
            self._count = 0
            content = {"CountOperations": operations, "Description": "Lua"}
            submission = Submission(kind=JOB, payload=b"", content=content, is_saved=False)
            self._run = self._host.services.jobs.begin_here(LUA, submission)
        self._count += operations
        self._run.tell(CountOperations=self._count)

    def _end_job(self) -> None:
        run, self._run = self._run, None
        if run is not None:
            self._host.rest.run(_succeed(run))


async def _succeed(run: LocalRun) -> None:
    await asyncio.sleep(0)
    run.succeed()
