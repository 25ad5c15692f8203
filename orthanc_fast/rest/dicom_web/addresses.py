"""The address under which a client sees DICOMweb, for every URL in its answers.

Source: reference chapter 5, section 9. Unlike the permissions of a client, what addresses look
like is told by whoever asks: X-Forwarded-Host and Forwarded count from everybody, as with Orthanc.
"""

import re
from typing import Final

from orthanc_fast.config_sections import DicomWeb
from orthanc_fast.rest.request import Request

_HOST: Final = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")
_PAIR: Final = re.compile(r'\s*([A-Za-z]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*))\s*')
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_SIGNS_OF_PROXIES: Final = frozenset(
    {b"via", b"forwarded", b"x-real-ip", b"x-forwarded-for", b"x-forwarded-host"}
    | {b"x-forwarded-proto", b"x-forwarded-server", b"x-forwarded-port"}
)
_NOWHERE: Final = "localhost:8042"  # a client of HTTP/1.0 that names no host


def base_of(request: Request, options: DicomWeb) -> str:
    """Like `http://host:8042/dicom-web/`, with the slash at its end."""
    scheme, host = _place(request, options)
    prefix = "" if request.proxied is None else request.proxied.prefix
    return f"{scheme}://{host}{prefix}{options.public_root}"


def _place(request: Request, options: DicomWeb) -> tuple[str, str]:
    own = "https" if options.ssl else "http"
    if options.host:
        return own, options.host
    host = _text(request, b"x-forwarded-host")
    scheme = _text(request, b"x-forwarded-proto")
    if host and scheme:
        named = host.partition(",")[0].strip()
        if _HOST.fullmatch(named):
            secure = scheme.partition(",")[0].strip().lower() == "https"
            return "https" if secure else "http", named
    forwarded = _forwarded(_text(request, b"forwarded"))
    given = _text(request, b"host")
    named = forwarded.get("host", "") or given
    if not _HOST.fullmatch(named):
        named = _NOWHERE
    if "proto" in forwarded:
        own = "https" if forwarded["proto"].lower() == "https" else "http"
    elif "host" not in forwarded:
        named = _with_port(request, named, own)
    return own, named


def _with_port(request: Request, host: str, scheme: str) -> str:
    """The host with the port at which the request came in, where the client left it out, as the
    Python dicomweb-client does: its next request would go elsewhere. Behind a proxy the port is
    the proxy's, and the client may well have none to name."""
    port = request.server_port
    is_named = ":" in host.rpartition("]")[2] or host == _NOWHERE
    if port in (None, _DEFAULT_PORTS[scheme]) or is_named:
        return host
    if any(name in _SIGNS_OF_PROXIES for name, _ in request.headers):
        return host
    return f"{host}:{port}"


def _text(request: Request, name: bytes) -> str:
    value = request.header(name)
    return "" if value is None else value.decode("latin-1")


def _forwarded(text: str) -> dict[str, str]:
    """The pairs of the first element of the header Forwarded (RFC 7239); names in lower case."""
    found: dict[str, str] = {}
    at = 0
    while (match := _PAIR.match(text, at)) is not None:
        quoted = match[2]
        found[match[1].lower()] = match[3] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        at = match.end()
        if text[at : at + 1] != ";":
            break
        at += 1
    return found
