"""Wiring: from a configuration to a running server."""

import os
import socket
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain

from orthanc_fast.config import ConfigError, Settings
from orthanc_fast.errors import OrthancError
from orthanc_fast.fork_server import ForkServer
from orthanc_fast.https import check_https, try_handshake
from orthanc_fast.log import Category, logger
from orthanc_fast.network.options import dicom_options
from orthanc_fast.service_manager import ServiceManager
from orthanc_fast.services.administration import history, metrics
from orthanc_fast.services.audit.log import AuditFile
from orthanc_fast.services.exchange.dicom_tls import server_context
from orthanc_fast.services.processes.supervisor import GuardedStore
from orthanc_fast.services.query_retrieve.options import query_options
from orthanc_fast.services.scripts.options import languages
from orthanc_fast.services.store.opening import INDEX_FOLDER
from orthanc_fast.services.store.privacy import keep_private
from orthanc_fast.supervisor import CannotStart, Kind, Signals, Supervisor, bind


def address(settings: Settings) -> str:
    """Where a browser on this machine finds the server, or a modality where there is no HTTP."""
    if not settings.http_server_enabled:
        ports = [settings.dicom_port] if settings.dicom_server_enabled else []
        ports += [each.port for each in settings.tenants]
        return "DICOM on " + ", ".join(f"localhost:{port}" for port in ports)
    scheme = "https" if settings.ssl_enabled else "http"
    host = settings.http_bind_addresses[0] if settings.http_bind_addresses else "localhost"
    if host == "0.0.0.0":
        host = "localhost"
    return f"{scheme}://{host}:{settings.http_port}/"


def run(
    settings: Settings,
    announce: Callable[[str], None],
    log_file: str | None = None,
    reload: Callable[[], Settings | None] = lambda: None,
) -> None:
    """Serves until SIGTERM or SIGINT. Raises CannotStart with one line for the administrator.

    At a restart `reload` reads the configuration again; None keeps the present one. Ports that
    stay the same are never closed meanwhile: clients wait instead of being refused.
    """
    service = ServiceManager()
    # Before anything is opened and any thread runs.
    fork_server = ForkServer([kind.name for kind in _kinds(settings, ((), ())) if kind.count])
    log_levels = logger.share()
    at_start = [logger.level(category) for category in Category]
    ports = _Ports()
    try:
        with Signals() as signals:
            while not signals.stop:
                signals.restart = False
                logger.set_form(settings.log_form)
                for category, level in zip(Category, at_start, strict=True):
                    logger.set_level(level, category)
                listeners = _listeners(settings, ports)
                store = _open_store(settings)
                try:
                    following = _Following(settings, reload)
                    supervisor = _supervisor(
                        settings,
                        listeners,
                        store,
                        signals,
                        fork_server,
                        log_levels,
                        service,
                        log_file,
                        following,
                    )
                    supervisor.run(partial(_announce, settings, announce))
                finally:
                    store.close()
                if not signals.stop:
                    logger.warning(Category.GENERIC, "The server restarts")
                    settings = following.settings or reload() or settings
    except CannotStart as error:
        service.status(str(error))
        raise
    finally:
        service.close()
        fork_server.close()
        ports.close()
        os.close(log_levels)
    logger.info(Category.GENERIC, "The server has stopped")


def _announce(settings: Settings, announce: Callable[[str], None]) -> str:
    """Returns where. Raises CannotStart where HTTPS does not work."""
    if settings.http_server_enabled and settings.ssl_enabled:
        try:
            try_handshake(settings)
        except ConfigError as error:
            raise CannotStart(str(error)) from error
    found = address(settings)
    announce(found)
    return found


Listeners = tuple[int, ...]


def _listeners(settings: Settings, ports: "_Ports") -> tuple[Listeners, Listeners]:
    """Opens the ports of the REST API and of the DICOM door. Raises CannotStart."""
    web_ports: list[Port] = []
    if settings.http_server_enabled:
        try:
            check_https(settings, partial(logger.warning, Category.GENERIC))
        except ConfigError as error:
            raise CannotStart(str(error)) from error
        web_ports.append((settings.http_bind_addresses, settings.http_port, "HttpPort"))
    dicom_ports: list[Port] = []
    if settings.dicom_server_enabled or settings.tenants:
        _check_dicom(settings)
    if settings.dicom_server_enabled:
        dicom_ports.append(((), settings.dicom_port, "DicomPort"))
    dicom_ports += [((), each.port, "the Port in MultitenantDicom") for each in settings.tenants]
    if not web_ports and not dicom_ports:
        raise CannotStart(
            "HttpServerEnabled and DicomServerEnabled are false: there would be nothing to serve"
        )
    found = ports.change(*web_ports, *dicom_ports)
    count = len(web_ports)
    return tuple(chain.from_iterable(found[:count])), tuple(chain.from_iterable(found[count:]))


def _open_store(settings: Settings) -> GuardedStore:
    """Checks the settings and repairs the store. Raises CannotStart."""
    keep_private(settings)
    if settings.audit_log is not None:
        try:
            AuditFile(settings.audit_log).close()
        except OSError as error:
            raise CannotStart(
                f"AuditLog: cannot write {settings.audit_log.path}: {error.strerror}"
            ) from error
    try:
        store = GuardedStore(settings)
        metrics.begin(settings.index_directory / INDEX_FOLDER)
        history.begin(settings.index_directory / INDEX_FOLDER)
        return store
    except OrthancError as error:
        raise CannotStart(str(error)) from error


def _supervisor(
    settings: Settings,
    listeners: tuple[Listeners, Listeners],
    store: GuardedStore,
    signals: Signals,
    fork_server: ForkServer,
    log_levels: int,
    service: ServiceManager,
    log_file: str | None,
    following: "_Following",
) -> Supervisor:
    return Supervisor(
        settings,
        [kind for kind in _kinds(settings, listeners) if kind.count],
        store.recover_slot,
        following.has_changed,
        following.may_begin,
        signals,
        fork_server,
        log_levels,
        service,
        log_file,
    )


def _kinds(settings: Settings, listeners: tuple[Listeners, Listeners]) -> list[Kind]:
    """The workers of a server with these ports."""
    web, dicom = listeners
    has_dicom = settings.dicom_server_enabled or bool(settings.tenants)
    return [
        *(Kind(each, 1, (), start_first=True) for each in languages(settings)),
        Kind("http", settings.http_workers if settings.http_server_enabled else 0, web),
        Kind("dicom", settings.dicom_workers if has_dicom else 0, dicom),
        Kind("jobs", settings.concurrent_jobs, (), start_last=True),
        Kind("routing", _routers(settings), (), start_last=True),
        Kind("housekeeper", _housekeepers(settings), (), start_last=True),
        Kind("scrubber", _scrubbers(settings), (), start_last=True),
    ]


def _routers(settings: Settings) -> int:
    """How many processes send by rules: one, where there are rules that may do so."""
    return 0 if settings.routing is None or settings.read_only else 1


def _housekeepers(settings: Settings) -> int:
    """How many processes keep the house: one, where it is enabled and may do so."""
    return 0 if settings.housekeeper is None or settings.read_only else 1


def _scrubbers(settings: Settings) -> int:
    """How many processes read stored files for damage: one, where it is enabled and may note what
    it sees."""
    return 0 if settings.scrubber is None or settings.read_only else 1


class _Following:
    """The configuration of the next run, looked at while this one serves."""

    def __init__(self, settings: Settings, reload: Callable[[], Settings | None]) -> None:
        self._present = settings
        self._reload = reload
        self.settings: Settings | None = None  # once it has been looked at

    def has_changed(self) -> bool:
        found = self._reload()
        return found is not None and found != self._present

    def may_begin(self) -> bool:
        """Whether it could serve: certificates are files that may be changed half."""
        found = self._reload() or self._present
        try:
            if found.http_server_enabled:
                check_https(found, lambda text: None)
        except ConfigError as error:
            logger.error(Category.GENERIC, f"{error}: the server does not restart")
            return False
        self.settings = found
        return True


def _check_dicom(settings: Settings) -> None:
    """The options of the DICOM door. Raises CannotStart."""
    try:
        options = dicom_options(settings)
        if options.tls is not None:
            server_context(options.tls)
        query_options(settings)
    except (ConfigError, OrthancError) as error:
        raise CannotStart(str(error)) from error


Port = tuple[Sequence[str], int, str]  # addresses, number, the option that sets it


class _Ports:
    """The listening sockets, which stay open over restarts."""

    def __init__(self) -> None:
        self._open: dict[Port, list[socket.socket]] = {}

    def change(self, *wanted: Port) -> list[tuple[int, ...]]:
        """The descriptors of each; what is not wanted any more is closed. Raises CannotStart."""
        for left in set(self._open) - set(wanted):
            self._close(left)
        for port in wanted:
            if port not in self._open:
                self._open[port] = bind(*port)
        return [tuple(each.fileno() for each in self._open[port]) for port in wanted]

    def close(self) -> None:
        for port in list(self._open):
            self._close(port)

    def _close(self, port: Port) -> None:
        for listener in self._open.pop(port):
            listener.close()
