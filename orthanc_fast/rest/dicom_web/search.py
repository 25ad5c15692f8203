"""QIDO-RS: studies, series and instances that match a query. Source: PS3.18 section 10.6;
reference chapter 5, section 2."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from functools import partial
from itertools import takewhile
from threading import Event
from typing import Final

from orthanc_fast.config import Settings
from orthanc_fast.media_types import MediaRange, accepted, chosen
from orthanc_fast.model import Level
from orthanc_fast.rest.dicom_web.addresses import base_of
from orthanc_fast.rest.multipart_related import MultipartWriter
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import HeaderField, Response
from orthanc_fast.rest.router import Handler, Router
from orthanc_fast.rest.streaming import presence, while_present
from orthanc_fast.rest.uri import pairs
from orthanc_fast.rights import Right
from orthanc_fast.services.dicom_web.searching import Form, Results

DICOM_JSON: Final = (b"content-type", b"application/dicom+json")
_XML: Final = "application/dicom+xml"

_ARGUMENTS: Final = (
    "limit offset includefield fuzzymatching emptyvaluematching multiplevaluematching accept"
)
_ROUTES: Final = (
    ("studies", Level.STUDY),
    ("series", Level.SERIES),
    ("instances", Level.INSTANCE),
    ("studies/{}/series", Level.SERIES),
    ("studies/{}/instances", Level.INSTANCE),
    ("studies/{}/series/{}/instances", Level.INSTANCE),
)
_FORMS: Final[dict[str, Form]] = {
    "*/*": "json",
    "application/*": "json",
    "application/dicom+json": "json",
    "application/json": "json",
    "multipart/*": "xml",
    "application/dicom+xml": "xml",
    "application/xml": "xml",
    "text/xml": "xml",
}
_LONGEST_WARNING = 500  # characters


def add_routes(router: Router, settings: Settings) -> None:
    options = settings.dicom_web
    if not options.enable:
        return
    for path, level in _ROUTES:
        router.add(
            "GET",
            options.root + path,
            _handler(level),
            arguments=_ARGUMENTS,
            answer="application/dicom+json",
            needs=Right.BROWSE,
            limited=True,
        )


def _handler(level: Level) -> Handler:
    async def get_matches(request: Request) -> Response:
        """What matches the attributes in the query string, in the order of study date, numbers and
        UIDs."""
        return await _found(request, level)

    return get_matches


async def _found(request: Request, level: Level) -> Response:
    form = _form(request)
    searching = request.services.dicom_web.searching
    search = searching.read(level, request.params, pairs(request.query))
    base = base_of(request, request.services.settings.dicom_web)
    over = Event()
    present = partial(presence, request)
    results = await searching.results(request.caller, search, base, form, over.is_set, present)
    headers = _headers(results, base)
    if form == "json":
        kind, stream = DICOM_JSON, _json(results.parts, results.is_endless)
    else:
        writer = MultipartWriter()
        kind, stream = writer.kind(_XML), _multipart(writer, results.parts)
    if results.is_long:
        chunks = _in_threads(stream)
        return await while_present(request, chunks, kind, headers, when_gone=over.set)
    return Response(b"".join(stream), kind, headers=headers)


def _form(request: Request) -> Form:
    """JSON where the header names both alike. An empty header says nothing."""
    argument = request.arguments.get("accept")
    ranges = accepted(request.header(b"accept") or None, argument)
    if not argument:
        # Of those that the client likes best.
        best = takewhile(lambda each: each.quality == ranges[0].quality, ranges)
        if any(_served(each) == "json" for each in best):
            return "json"
    return chosen(ranges, _served, f"application/dicom+json or multipart/related; type={_XML}")


def _served(each: MediaRange) -> Form | None:
    if each.type == "multipart/related":
        return "xml" if each.part_type in ("", "*/*", "application/*", _XML) else None
    return _FORMS.get(each.type)


def _headers(results: Results, base: str) -> tuple[HeaderField, ...]:
    headers: list[HeaderField] = []
    if results.total is not None:
        headers.append((b"x-total-count", b"%d" % results.total))
    for text in results.warnings:
        printable = "".join(c if " " <= c <= "~" else "?" for c in text[:_LONGEST_WARNING])
        headers.append((b"warning", f"299 {base}: {printable}".encode()))
    return tuple(headers)


def _json(parts: Iterator[list[bytes]], early: bool) -> Iterator[bytes]:
    """One array, a chunk for each part; its beginning by itself, if `early`."""
    start = b"["
    if early:
        yield start
        start = b""
    separator = b""
    for part in parts:
        if part:
            yield start + separator + b",".join(part)
            start, separator = b"", b","
    yield start + b"]"


def _multipart(writer: MultipartWriter, parts: Iterator[list[bytes]]) -> Iterator[bytes]:
    for part in parts:
        if part:
            yield b"".join(writer.head(_XML, len(each)) + each for each in part)
    yield writer.end()


async def _in_threads(chunks: Iterator[bytes]) -> AsyncGenerator[bytes]:
    """Each chunk is made in a thread."""
    while chunk := await asyncio.to_thread(next, chunks, b""):
        yield chunk
