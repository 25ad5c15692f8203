"""Wiring: from a configuration to a running server."""

import os
import socket
from collections.abc import Callable

from orthanc_fast.config import ConfigError, Settings
from orthanc_fast.errors import OrthancError
from orthanc_fast.log import Category, logger
from orthanc_fast.network.options import dicom_options
from orthanc_fast.network.tls import server_context
from orthanc_fast.services import metrics
from orthanc_fast.services.startup import INDEX_FOLDER, prepare, recover_slot
from orthanc_fast.supervisor import CannotStart, Kind, Supervisor, bind


def address(settings: Settings) -> str:
    """Where a browser on this machine finds the server."""
    scheme = "https" if settings.ssl_enabled else "http"
    host = settings.http_bind_addresses[0] if settings.http_bind_addresses else "localhost"
    if host == "0.0.0.0":
        host = "localhost"
    return f"{scheme}://{host}:{settings.http_port}/"


def run(settings: Settings, announce: Callable[[str], None], log_file: str | None = None) -> None:
    """Serves until SIGTERM or SIGINT. Raises CannotStart with one line for the administrator."""
    if not settings.http_server_enabled:
        raise CannotStart("HttpServerEnabled is false: there would be nothing to serve")
    if settings.ssl_enabled and not os.access(settings.ssl_certificate, os.R_OK):
        raise CannotStart(f"cannot read the file of SslCertificate: {settings.ssl_certificate}")
    listeners = bind(settings.http_bind_addresses, settings.http_port)
    try:
        dicom = _dicom(settings)
        listeners += dicom
        try:
            prepare(settings)
            metrics.begin(settings.index_directory / INDEX_FOLDER)
        except OrthancError as error:
            raise CannotStart(str(error)) from error
        web = [listener for listener in listeners if listener not in dicom]
        kinds = [
            Kind("http", settings.http_workers, _descriptors(web)),
            Kind("dicom", settings.dicom_workers if dicom else 0, _descriptors(dicom)),
        ]
        supervisor = Supervisor(
            settings, kinds, lambda slot: recover_slot(settings, slot), log_file
        )
        supervisor.run(lambda: announce(address(settings)))
    finally:
        for listener in listeners:
            listener.close()
    logger.info(Category.GENERIC, "The server has stopped")


def _dicom(settings: Settings) -> list[socket.socket]:
    """The listening socket of the DICOM door, if it is wanted. Raises CannotStart."""
    if not settings.dicom_server_enabled:
        return []
    try:
        options = dicom_options(settings)
        if options.tls is not None:
            server_context(options.tls)
    except (ConfigError, OrthancError) as error:
        raise CannotStart(str(error)) from error
    return bind((), options.port, "DicomPort")


def _descriptors(listeners: list[socket.socket]) -> tuple[int, ...]:
    return tuple(listener.fileno() for listener in listeners)
