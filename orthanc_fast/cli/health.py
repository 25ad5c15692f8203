"""`health`: whether the server of a configuration is ready, for containers and scripts."""

import http.client
import json
import socket
import ssl
import sys
from pathlib import Path

import click

from orthanc_fast.cli.common import BAD_CONFIGURATION, CONFIGURATIONS, FOUND
from orthanc_fast.config import ConfigError, Settings, load

_PATIENCE = 4.0  # seconds


@click.command()
@CONFIGURATIONS
def health(configurations: tuple[Path, ...]) -> None:
    """Asks the server of this configuration, on this machine, whether it is ready: 0 if it is, 1
    with the reasons if not."""
    try:
        settings = load(configurations)
    except ConfigError as error:
        click.echo(f"orthanc-fast: {error}", err=True)
        sys.exit(BAD_CONFIGURATION)
    try:
        reasons = _reasons(settings)
    except (OSError, ValueError, http.client.HTTPException) as error:
        reasons = [f"it does not answer: {error}"]
    for reason in reasons:
        click.echo(reason, err=True)
    sys.exit(FOUND if reasons else 0)


def _reasons(settings: Settings) -> list[str]:
    addresses = [each for each in settings.http_bind_addresses if each not in ("0.0.0.0", "::")]
    host = addresses[0] if addresses and settings.http_server_enabled else "127.0.0.1"
    if not settings.http_server_enabled or (settings.ssl_enabled and settings.ssl_verify_peers):
        # Nobody to ask, or nobody without a certificate: that it listens is all that can be told.
        port = settings.http_port if settings.http_server_enabled else settings.dicom_port
        socket.create_connection((host, port), _PATIENCE).close()
        return []
    connection = http.client.HTTPConnection(host, settings.http_port, timeout=_PATIENCE)
    if settings.ssl_enabled:
        # Its own certificate, on this machine, most often for another name.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(
            host, settings.http_port, timeout=_PATIENCE, context=context
        )
    connection.request("GET", "/health/ready", headers={"Host": "localhost"})
    answer = connection.getresponse()
    body = answer.read()
    if answer.status == 200:
        return []
    if answer.status == 503:
        return [str(each) for each in json.loads(body)["Reasons"]]
    return [f"it answers with status {answer.status}"]
