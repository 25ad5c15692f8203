"""HTTPS of the server: what its options ask for and Granian's TLS cannot do is refused, or warned
of by name. Source: reference chapter 1, section 11.2.
"""

import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final

from orthanc_fast.config import ConfigError, Settings

# What Granian's TLS library offers with TLS 1.2, by OpenSSL's names; no option of Granian changes
# it. The suites of TLS 1.3 are not among Orthanc's: OpenSSL has them on as well.
OFFERED: Final = frozenset(
    f"ECDHE-{key}-{cipher}"
    for key in ("ECDSA", "RSA")
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
)
_HANDSHAKE_SECONDS: Final = 10.0
_VERSION_TAG: Final = 0xA0  # of the version in a certificate, which the first one did not have

_TLS_1_2: Final = 4
_TLS_1_3: Final = 5


def check_https(settings: Settings, warn: Callable[[str], None]) -> None:
    """Raises ConfigError with the option and the reason where HTTPS could not be served as it is
    asked for."""
    if not (settings.http_server_enabled and settings.ssl_enabled):
        return
    version = settings.ssl_minimum_protocol_version
    if version > _TLS_1_3:
        raise ConfigError("SslMinimumProtocolVersion must be from 0 to 5")
    if version < _TLS_1_2:
        warn(f"SslMinimumProtocolVersion is {version}, but TLS 1.2 (4) is the oldest one served")
    if settings.ssl_ciphers_accepted is not None and version < _TLS_1_3:
        _check_ciphers(frozenset(settings.ssl_ciphers_accepted), warn)
    _check_certificate(settings.ssl_certificate)
    if settings.ssl_verify_peers:
        _check_authorities(settings.ssl_trusted_client_certificates)


def _check_ciphers(accepted: frozenset[str], warn: Callable[[str], None]) -> None:
    if not accepted & OFFERED:
        raise ConfigError(
            "SslCiphersAccepted has none of the ciphers that can be served: "
            f"{', '.join(sorted(OFFERED))}"
        )
    missing, others = sorted(accepted - OFFERED), sorted(OFFERED - accepted)
    if missing:
        warn(f"SslCiphersAccepted: these ciphers cannot be served: {', '.join(missing)}")
    if others:
        warn(
            "SslCiphersAccepted: these ciphers are served all the same, with TLS 1.2 (see "
            f"SslMinimumProtocolVersion): {', '.join(others)}"
        )


def _check_certificate(path: Path) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path, password=_no_password)
    except (OSError, _EncryptedKey) as error:
        raise ConfigError(
            f"SslCertificate: {path} must hold a private key without a password and its "
            f"certificate, as PEM: {_reason(error)}"
        ) from error
    if _is_of_version_1(path.read_text("latin-1")):
        raise ConfigError(
            f"SslCertificate: the certificate in {path} is of X.509 version 1, which cannot be "
            "served: sign it with extensions (openssl x509 -req -extfile)"
        )


def _is_of_version_1(pem: str) -> bool:
    """Whether the first certificate has no version, which it has where it has extensions: RFC 5280,
    section 4.1."""
    begin = pem.index(ssl.PEM_HEADER)
    end = pem.index(ssl.PEM_FOOTER) + len(ssl.PEM_FOOTER)
    der = ssl.PEM_cert_to_DER_cert(pem[begin:end])
    return der[_value(der, _value(der, 0))] != _VERSION_TAG


def _value(der: bytes, at: int) -> int:
    """Where the value of the element at `at` begins: X.690, section 8.1.3."""
    length = der[at + 1]
    return at + 2 + (length & 0x7F if length & 0x80 else 0)


class _EncryptedKey(Exception):
    pass


def _no_password() -> str:
    raise _EncryptedKey("the private key has a password")


def _check_authorities(path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_verify_locations(path)
    except OSError as error:
        raise ConfigError(
            f"SslTrustedClientCertificates: {path} must hold certificates as PEM: {_reason(error)}"
        ) from error


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error)


def try_handshake(settings: Settings) -> None:
    """Shakes hands with this server, which is up: its TLS library refuses some certificates that
    OpenSSL takes, and says so only when it begins to serve. Raises ConfigError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    host = settings.http_bind_addresses[0] if settings.http_bind_addresses else "127.0.0.1"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    try:
        with (
            socket.create_connection((host, settings.http_port), _HANDSHAKE_SECONDS) as plain,
            context.wrap_socket(plain),
        ):
            pass
    except OSError as error:
        raise ConfigError(
            f"SslCertificate: {settings.ssl_certificate} cannot be served: see the lines above"
        ) from error
