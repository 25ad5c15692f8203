"""Wiring: from a configuration to a running server."""

import os
from collections.abc import Callable

from orthanc_fast.config import Settings
from orthanc_fast.errors import OrthancError
from orthanc_fast.log import Category, logger
from orthanc_fast.services.startup import prepare, recover_slot
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
        try:
            prepare(settings)
        except OrthancError as error:
            raise CannotStart(str(error)) from error
        http = Kind(
            "http", settings.http_workers, tuple(listener.fileno() for listener in listeners)
        )
        supervisor = Supervisor(
            settings, [http], lambda slot: recover_slot(settings, slot), log_file
        )
        supervisor.run(lambda: announce(address(settings)))
    finally:
        for listener in listeners:
            listener.close()
    logger.info(Category.GENERIC, "The server has stopped")
