"""Other Orthanc servers: their two configuration formats, and what is shown of them. Source:
reference chapter 4, section 8.1.
"""

from pathlib import Path
from typing import Any, Final

import msgspec

from orthanc_fast.errors import BadFileFormat, OrthancError
from orthanc_fast.numerals import MAX_INT32, MIN_INT32
from orthanc_fast.services.exchange.addresses import without_user
from orthanc_fast.services.exchange.client_tls import ClientCertificate
from orthanc_fast.services.exchange.fields import flag_of, text_of, timeout_of
from orthanc_fast.services.exchange.server_registry import check_name

_INEXISTENT_FILE: Final = 13
_FIELDS: Final = frozenset(
    {
        *("Url", "URL", "Username", "Password", "HttpHeaders", "CertificateFile"),
        *("CertificateKeyFile", "CertificateKeyPassword", "Pkcs11", "Timeout"),
    }
)


class Peer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One peer, with its secrets: as it is kept, never as it is answered. `timeout` is in seconds,
    0 stands for `HttpTimeout`; `properties` are what clients have added of their own. `pkcs11` asks
    for a smart card, which this server cannot use."""

    url: str  # ends with a slash
    username: str = ""
    password: str = ""
    headers: dict[str, str] = {}
    certificate: ClientCertificate | None = None
    pkcs11: bool = False
    timeout: int = 0
    properties: dict[str, str] = {}

    @property
    def is_advanced(self) -> bool:
        """Whether the short format cannot say it."""
        return bool(
            self.headers or self.certificate or self.pkcs11 or self.timeout or self.properties
        )


def parse_peer(name: str, value: Any) -> Peer:
    """Reads `["url"]`, `["url", "user", "password"]` or the object form. Raises BadFileFormat or
    BadParameterType with what is wrong."""
    check_name(name)
    return parse_server(value)


def parse_server(value: Any) -> Peer:
    """As `parse_peer`, under whatever name: servers of DICOMweb are described in the same way."""
    if isinstance(value, list):
        return _short(value)
    if isinstance(value, dict):
        return _object(value)
    raise BadFileFormat("A peer is a list or an object")


def check_files(peer: Peer) -> None:
    """Raises OrthancError 13 where the files of the client certificate are missing."""
    if peer.certificate is None:
        return
    for kind, path in (("certificate", peer.certificate.file), ("key", peer.certificate.key)):
        if path and not Path(path).is_file():
            raise OrthancError(f"Cannot open {kind} file", private=path, code=_INEXISTENT_FILE)


def _short(value: list[Any]) -> Peer:
    match value:
        case [url]:
            return Peer(url=_url(_scalar(url)))
        case [url, user, password]:
            return _with_user(Peer(url=_url(_scalar(url))), _scalar(user), _scalar(password))
    raise BadFileFormat("A peer is [url] or [url, user, password]")


def _object(value: dict[str, Any]) -> Peer:
    peer = Peer(
        url=_url(text_of(value.get("Url", value.get("URL", "")), "Url")),
        headers=_headers(value.get("HttpHeaders", {})),
        certificate=_certificate(value),
        pkcs11=flag_of(value.get("Pkcs11", False), "Pkcs11"),
        timeout=timeout_of(value.get("Timeout", 0), BadFileFormat),
        properties={
            name: _property(name, each) for name, each in value.items() if name not in _FIELDS
        },
    )
    user, password = (text_of(value.get(name, ""), name) for name in ("Username", "Password"))
    return _with_user(peer, user, password)


def _with_user(peer: Peer, username: str, password: str) -> Peer:
    if password and not username:
        raise BadFileFormat("A peer with a password needs a user name")
    return msgspec.structs.replace(peer, username=username, password=password)


def _certificate(value: dict[str, Any]) -> ClientCertificate | None:
    """What belongs to a certificate is not looked at without one."""
    file = text_of(value.get("CertificateFile", ""), "CertificateFile")
    if not file:
        return None
    key, password = (
        text_of(value.get(name, ""), name)
        for name in ("CertificateKeyFile", "CertificateKeyPassword")
    )
    return ClientCertificate(file, key, password)


def _headers(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise BadFileFormat("HttpHeaders must be an object")
    return {name: text_of(value[name], "HttpHeaders") for name in sorted(value)}


def _url(text: str) -> str:
    """With a slash at its end. Without a scheme it is one of HTTP, as for libcurl."""
    if not text:
        raise BadFileFormat("Empty URL")
    if "://" in text and not text.startswith(("http://", "https://")):
        raise BadFileFormat(f"Bad URL: {text}")
    return text if text.endswith("/") else f"{text}/"


def _scalar(value: Any) -> str:
    """A text, or what JSON has that can be written as one."""
    match value:
        case str():
            return value
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
    raise BadFileFormat("A peer is a list of texts")


def _property(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, str) or (isinstance(value, int) and MIN_INT32 <= value <= MAX_INT32):
        return str(value)
    raise BadFileFormat(
        f"User-defined properties associated with a Web service must be strings: {name}"
    )


def configuration(peer: Peer) -> dict[str, Any]:
    """What clients see: secrets are null or, in the address, left out; of headers there are the
    names."""
    found = _described(peer) | {"HttpHeaders": list(peer.headers)}
    if peer.username:
        found["Password"] = None
    if peer.certificate is not None:
        found["CertificateKeyFile"] = found["CertificateKeyPassword"] = None
    return found


def job_content(peer: Peer) -> Any:
    """The peer as its jobs show it: in the short format where that can say it, without
    passwords. Headers have their values, as with Orthanc."""
    if not peer.is_advanced:
        url = without_user(peer.url)
        return [url, peer.username, ""] if peer.username else [url]
    return _described(peer) | {"HttpHeaders": peer.headers}


def _described(peer: Peer) -> dict[str, Any]:
    found: dict[str, Any] = dict(peer.properties)
    found |= {"Url": without_user(peer.url), "Timeout": peer.timeout, "Pkcs11": peer.pkcs11}
    if peer.username:
        found["Username"] = peer.username
    if peer.certificate is not None:
        found["CertificateFile"] = peer.certificate.file
    return found
