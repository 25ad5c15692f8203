"""Calls about the server itself: what it is, how much it holds, what it is doing."""

from typing import Any

import msgspec

from orthanc_fast.client.answers import Sample, System, Totals
from orthanc_fast.client.call import JSON, Call, Flow, decoder, get
from orthanc_fast.client.errors import ServerError


def content(path: str, body: Any = None) -> Call[bytes]:
    """The bytes of any path: GET, or POST where there is a body, which is sent as JSON."""
    return _any(path, body, bytes)


def json(path: str, body: Any = None) -> Call[Any]:
    """The JSON of any path: GET, or POST where there is a body."""
    return _any(path, body, decoder(object))


def _any(path: str, body: Any, decode: Any) -> Call[Any]:
    if body is None:
        return Call("GET", path, decode)
    return Call("POST", path, decode, body=msgspec.json.encode(body), headers=JSON)


def system() -> Call[System]:
    """Which server it is, and its version."""
    return get("/system", System)


def totals() -> Call[Totals]:
    """How much is stored."""
    return get("/statistics", Totals)


def metrics() -> Call[dict[str, float]]:
    """The figures of `/tools/metrics-prometheus` by name, labels as in `name{a="b"}`."""
    return Call("GET", "/tools/metrics-prometheus", _figures)


def history() -> Flow[list[Sample]]:
    """The counters of the last hour, twice a minute, and as they are now. Needs orthanc_fast."""
    yield from require_ours("the history of metrics")
    return (yield from get("/tools/metrics-history", list[Sample]))


def require_ours(what: str) -> Flow[None]:
    """Raises ServerError where the server is Orthanc: its answer would not say so."""
    if not (found := (yield from system())).is_ours:
        text = f"{what} needs orthanc_fast: the server is Orthanc {found.version}"
        raise ServerError(0, text)


def _figures(body: bytes) -> dict[str, float]:
    found: dict[str, float] = {}
    for line in body.decode().splitlines():
        if line and not line.startswith("#"):
            # NAME{LABELS} VALUE TIME: texts of labels may have blanks.
            name, close, rest = line.rpartition("}")
            first, _, last = (rest if close else line).strip().partition(" ")
            if close:
                found[name + close] = float(first)
            else:
                found[first] = float(last.split()[0])
    return found
