"""Associations with modalities, and how their failures are told to clients. Source: reference
chapter 4, sections 5.1, 5.3 and 7."""

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TypeVar

from orthanc_fast._ext.pdata import PduError
from orthanc_fast.config import Settings
from orthanc_fast.config_options import Values
from orthanc_fast.errors import NetworkProtocol, NoPresentationContext
from orthanc_fast.log import Category, logger
from orthanc_fast.services.exchange.dicom_tls import client_context, tls_options
from orthanc_fast.services.exchange.modalities import Modality
from orthanc_fast.transfer_syntaxes import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE
from orthanc_fast.upper_layer import pdu
from orthanc_fast.upper_layer.association import Association
from orthanc_fast.upper_layer.channel import Watch
from orthanc_fast.upper_layer.failures import AssociationFailed, RequestFailed
from orthanc_fast.upper_layer.requestor import ACSE_TIMEOUT, Target, associate, proposals

T = TypeVar("T")

SYNTAXES = (EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG)  # of all classes but those of storage

NOBODY_WAITS = "Nobody waits for the answers any longer"

_LONGEST = 1_000_000  # seconds; more is as good as for ever, and its milliseconds fit into an int


def plain(*sop_classes: str) -> list[pdu.Proposal]:
    """Presentation contexts of classes that are not for storage, as Orthanc proposes them."""
    return proposals(*((uid, SYNTAXES) for uid in sop_classes))


class DimseFailure(NetworkProtocol):
    """The peer has answered a request, as a "C-FIND", with a status that is no success; the
    association goes on. `hint` is text behind it."""

    def __init__(
        self,
        service: str,
        target: Target,
        status: int,
        hint: str = "",
        http_status: int | None = None,
    ) -> None:
        self.status = status
        super().__init__(
            f'{service} SCU to AET "{target.called}" has failed with DIMSE status '
            f"0x{status:04X}{hint}",
            http_status=http_status,
            payload={"Content": {"DimseErrorStatus": status}, "Type": "Dimse"},
        )


class Associations:
    """What associations that this server asks for have in common."""

    def __init__(self, settings: Settings) -> None:
        option = Values(settings.raw)
        self.aet = settings.dicom_aet
        self._timeout: int = option("DicomScuTimeout")
        self._tls = tls_options(option)
        self._is_ending = False

    def target(
        self,
        modality: Modality,
        *,
        local_aet: str | None = None,
        called_aet: str | None = None,
        host: str | None = None,
        port: int | None = None,
        timeout: int | None = None,
    ) -> Target:
        """The modality as the other end of an association; what is given overrides its entry.

        Without `local_aet` the `LocalAet` of the modality counts, else `DicomAet`: operations that
        ignore the former give `aet`. `timeout` is in seconds, 0: none; without it that of the
        modality counts, else `DicomScuTimeout`. Raises OrthancError (6, 13, 15) where TLS cannot
        be set up.
        """
        if timeout is None:
            timeout = modality.timeout or self._timeout
        return Target(
            called=modality.aet if called_aet is None else called_aet,
            calling=(modality.local_aet or self.aet) if local_aet is None else local_aet,
            host=modality.host if host is None else host,
            port=modality.port if port is None else port,
            timeout=min(timeout, _LONGEST),
            tls=self._context() if modality.use_dicom_tls else None,
        )

    def _context(self) -> ssl.SSLContext:
        return client_context(self._tls)

    def until(self, stop: threading.Event) -> Watch:
        """A watch for `open` of who waits until `stop` is set, or the process ends. It raises
        NetworkProtocol."""

        def watch() -> None:
            if self._is_ending:
                raise NetworkProtocol("The server is stopping: it waits for no modality any longer")
            if stop.is_set():
                raise NetworkProtocol(NOBODY_WAITS)

        return watch

    def stop_waiting(self) -> None:
        """The process is stopping: whoever waits `until` something shall come to an end."""
        self._is_ending = True

    @contextmanager
    def open(
        self,
        target: Target,
        proposals: Sequence[pdu.Proposal],
        roles: Sequence[pdu.Role] = (),
        watch: Watch | None = None,
    ) -> Iterator[Association]:
        """An association that is released at the end of the block, or broken off where an error
        leaves it or an operation is still under way. Blocks.

        `watch` is called four times a second while the peer is silent; what it raises ends the
        wait, and is raised.

        Raises NetworkProtocol and NoPresentationContext (also where none is accepted at all), with
        Orthanc's words, for what goes wrong here and in the block.
        """
        logger.info(
            Category.DICOM,
            f"Opening a DICOM SCU connection from AET {target.calling!r} to AET {target.called!r} "
            f"on host {target.host}:{target.port} (timeout: {target.timeout}s)",
        )
        try:
            association = associate(target, proposals, roles, watch)
        except AssociationFailed as error:
            raise _failed("connecting", target, str(error)) from error
        is_broken = False
        try:
            if not association.agreement.contexts:
                raise NoPresentationContext(
                    f'Unable to negotiate a presentation context with AET "{target.called}"'
                )
            yield association
        except RequestFailed as error:
            is_broken = True
            raise _failed(error.operation, target, error.text) from error
        except PduError as error:
            is_broken = True
            raise _failed("DIMSE", target, f"DUL Illegal PDU: {error.args[0]}") from error
        finally:
            if is_broken or association.in_operation:
                association.break_off()
            else:
                association.release(target.timeout or ACSE_TIMEOUT)


def _failed(operation: str, target: Target, text: str) -> NetworkProtocol:
    return NetworkProtocol(f'DicomAssociation - {operation} to AET "{target.called}": {text}')


async def in_thread(work: Callable[[], T]) -> T:
    """What `work`, which talks to a peer, makes of it: in a thread of its own. Peers that let us
    wait would otherwise take the few threads that the requests of all clients share."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(outcome: Callable[[], None]) -> None:
        if not done.cancelled():
            outcome()

    def run() -> None:
        try:
            outcome = partial(done.set_result, work())
        except BaseException as error:
            outcome = partial(done.set_exception, error)
        with suppress(RuntimeError):  # the loop is closed: the worker ends
            loop.call_soon_threadsafe(tell, outcome)

    threading.Thread(target=run, name="DICOM-SCU", daemon=True).start()
    return await done
