"""C-FIND of modalities: /modalities/{id}/query, and /queries with its answers. Source: reference
chapter 4, section 5.6."""

import asyncio
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.dicom.tag_json import Format, named_tags
from orthanc_fast.model import Level
from orthanc_fast.rest.asking import answered
from orthanc_fast.rest.query_body import (
    level_field,
    object_body,
    optional_body,
    wanted,
    wanted_below,
)
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import JSON, Response, json_response, text_response
from orthanc_fast.rest.router import Router
from orthanc_fast.rest.streaming import begun
from orthanc_fast.rest.tag_arguments import tag_format
from orthanc_fast.rest.uri import boolean, unsigned_argument
from orthanc_fast.rights import Right
from orthanc_fast.services.browse.describe import NAMES, LevelName
from orthanc_fast.services.scu.queries import Answer, Done
from orthanc_fast.services.scu.querying import check_below

OPERATIONS: Final = ("answers", "level", "modality", "query", "retrieve")
# What can be done with an answer of each level, as its listing tells.
_ANSWER_OPERATIONS: Final = ("content", "retrieve")
_CHILDREN: Final = {
    Level.PATIENT: ("query-study", "query-series", "query-instances"),
    Level.STUDY: ("query-series", "query-instances"),
    Level.SERIES: ("query-instances",),
    Level.INSTANCE: (),
}


class ChildQueryRequest(msgspec.Struct, kw_only=True):
    """What is asked below an answer. Bodies are read by `query_body`; this is how they are
    described."""

    Query: dict[str, str] = {}
    LocalAet: str = ""
    Timeout: int = 0


class QueryRequest(ChildQueryRequest, kw_only=True):
    """What is asked of a modality."""

    Level: LevelName
    Normalize: bool = True


class QueryPath(msgspec.Struct, gc=False):
    """Where the answers of a query are."""

    ID: str
    Path: str


def add_routes(router: Router, settings: Settings) -> None:
    form = "simplify short"
    router.add(
        "POST",
        "/modalities/{}/query",
        post_query,
        body=QueryRequest,
        answer=QueryPath,
        needs=Right.UPLOAD,
    )
    router.add("GET", "/queries", get_queries, answer=list[str], needs=Right.UPLOAD)
    router.add("GET", "/queries/{}", get_query, answer=list[str], needs=Right.UPLOAD)
    router.add("DELETE", "/queries/{}", delete_query, answer="text/plain", needs=Right.UPLOAD)
    router.add("GET", "/queries/{}/level", get_level, answer="text/plain", needs=Right.UPLOAD)
    router.add("GET", "/queries/{}/modality", get_modality, answer="text/plain", needs=Right.UPLOAD)
    router.add(
        "GET",
        "/queries/{}/query",
        get_sent,
        arguments=form,
        answer=dict[str, Any],
        needs=Right.UPLOAD,
    )
    router.add(
        "GET",
        "/queries/{}/answers",
        get_answers,
        arguments=f"expand {form}",
        answer=list[Any],
        needs=Right.UPLOAD,
    )
    answer = "/queries/{}/answers/{}"
    router.add("GET", answer, get_answer, answer=list[str], needs=Right.UPLOAD)
    router.add(
        "GET",
        f"{answer}/content",
        get_content,
        arguments=form,
        answer=dict[str, Any],
        needs=Right.UPLOAD,
    )
    for name, handler in (
        ("query-studies", post_query_studies),
        ("query-series", post_query_series),
        ("query-instances", post_query_instances),
    ):
        router.add(
            "POST",
            f"{answer}/{name}",
            handler,
            body=ChildQueryRequest,
            answer=QueryPath,
            needs=Right.UPLOAD,
        )


async def post_query(request: Request) -> Response:
    """Asks a modality by C-FIND; its answers are kept below /queries."""
    body = await object_body(request)
    services, caller, modality = request.services, request.caller, request.params[0]
    level = level_field(body)
    order = wanted(body, services.dictionary)
    ask = services.querying.query
    done = await answered(request, lambda stop: ask(caller, modality, level, order, stop))
    return _path(done)


async def post_query_studies(request: Request) -> Response:
    """Asks for the studies of a patient that has been found."""
    return await _query_below(request, Level.STUDY)


async def post_query_series(request: Request) -> Response:
    """Asks for the series of a patient or study that has been found."""
    return await _query_below(request, Level.SERIES)


async def post_query_instances(request: Request) -> Response:
    """Asks for the instances of a patient, study or series that has been found."""
    return await _query_below(request, Level.INSTANCE)


async def _query_below(request: Request, level: Level) -> Response:
    services, caller = request.services, request.caller
    parent, answer = _answer(request)
    check_below(parent, level)
    body = await optional_body(request)
    order = wanted_below(body, services.dictionary)
    ask = services.querying.query_below
    done = await answered(request, lambda stop: ask(caller, parent, answer, level, order, stop))
    return _path(done)


def _path(done: Done) -> Response:
    return json_response(QueryPath(done.identifier, f"/queries/{done.identifier}"))


def get_queries(request: Request) -> Response:
    """The identifiers of the latest queries."""
    return json_response(request.services.queries.identifiers(request.caller))


def get_query(request: Request) -> Response:
    """What there is of a query."""
    _query(request)
    return json_response(OPERATIONS)


async def delete_query(request: Request) -> Response:
    """Forgets a query and its answers."""
    await asyncio.to_thread(request.services.queries.delete, request.caller, request.params[0])
    return text_response()


def get_level(request: Request) -> Response:
    """The level of a query."""
    return text_response(NAMES[_query(request).query.level])


def get_modality(request: Request) -> Response:
    """The symbolic name of the modality that has been asked."""
    return text_response(_query(request).query.modality)


def get_sent(request: Request) -> Response:
    """What the client has asked for."""
    tags = _query(request).query.tags
    form = tag_format(request)
    return json_response(named_tags(tags, form, request.services.dictionary))


async def get_answers(request: Request) -> Response:
    """The numbers of the answers; with `expand` their contents."""
    done = _query(request)
    if not boolean(request.arguments, "expand"):
        return json_response([str(number) for number in range(done.count)])
    queries = request.services.queries
    pages = queries.answers(request.caller, done)
    parts = _expanded(pages, tag_format(request), request)
    return Response(kind=JSON, stream=await begun(parts))


def _expanded(pages: Iterator[list[Answer]], form: Format, request: Request) -> Iterator[bytes]:
    """A JSON array, in parts."""
    encode = msgspec.json.Encoder().encode
    dictionary = request.services.dictionary
    separator = b"["
    for page in pages:
        # The brackets of a page are no brackets of the whole.
        yield separator + encode([named_tags(each, form, dictionary) for each in page])[1:-1]
        separator = b","
    yield b"]" if separator == b"," else b"[]"


def get_answer(request: Request) -> Response:
    """What can be done with an answer."""
    done, _ = _answer(request)
    return json_response([*_ANSWER_OPERATIONS, *_CHILDREN[done.query.level]])


def get_content(request: Request) -> Response:
    """The tags of an answer."""
    _, answer = _answer(request)
    form = tag_format(request)
    return json_response(named_tags(answer, form, request.services.dictionary))


def _query(request: Request) -> Done:
    return request.services.queries.get(request.caller, request.params[0])


def _answer(request: Request) -> tuple[Done, Answer]:
    done = _query(request)
    number = unsigned_argument(request.params[1])
    return done, request.services.queries.answer(request.caller, done, number)
