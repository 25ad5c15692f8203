"""GET and DELETE /changes. Source: reference chapter 1, section 7; waiting and the stream of
events are this server's own: see `live_changes`."""

import time

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.errors import BadParameterType
from orthanc_fast.model import ChangesPage
from orthanc_fast.rest import live_changes
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import Response, json_response, text_response
from orthanc_fast.rest.router import Reply, Router
from orthanc_fast.rest.uri import integer_argument, unsigned_argument
from orthanc_fast.rights import Right
from orthanc_fast.services.browse.change_feed import ChangeEntry, change_entry, change_types

DEFAULT_LIMIT = 100
UNLIMITED = (1 << 32) - 1  # also -1


class ChangesAnswer(msgspec.Struct, omit_defaults=True, gc=False):
    """`GET /changes`; `First` is missing where there are no entries."""

    Changes: list[ChangeEntry]
    Done: bool
    Last: int
    First: int | None = None


def add_routes(router: Router, settings: Settings) -> None:
    router.add(
        "GET",
        "/changes",
        get_changes,
        arguments="since to limit type last wait",
        answer=ChangesAnswer,
        needs=Right.BROWSE,
        limited=True,
    )
    router.add("DELETE", "/changes", delete_changes, answer="text/plain", needs=Right.ADMINISTRATE)


def get_changes(request: Request) -> Reply:
    """The log of changes, oldest first.

    `since`, `to`, `limit`, `type`, `last`: section 7.2. `wait` holds an empty answer back until
    there is an entry. With `Accept: text/event-stream` the changes come as a stream of events.
    """
    if live_changes.is_wanted(request):
        return live_changes.stream(request)
    arguments = request.arguments
    types = change_types(arguments.get("type", ""))
    since, to, limit = _bounds(arguments)
    if "last" in arguments:
        return json_response(_answer(request.services.change_log.newest(request.caller)))
    patience = live_changes.patience(arguments)
    answer = _page(request, since, to, limit, types)
    if patience and not answer.Changes and limit and to < 0:
        return _await_page(request, answer, max(since, 0), limit, types, patience)
    return json_response(answer)


async def _await_page(
    request: Request,
    answer: ChangesAnswer,
    since: int,
    limit: int,
    types: frozenset[int] | None,
    patience: float,
) -> Response:
    """The first answer that is not empty, or an empty one when the time is up."""
    deadline = time.monotonic() + patience
    async with live_changes.Presence(request) as presence:
        while not answer.Changes:
            since = max(since, answer.Last)  # what lies before has been looked at
            if not await presence.beyond(since, deadline - time.monotonic()):
                break
            if await request.is_over():
                break
            answer = await request.services.reads.run(_page, request, since, -1, limit, types)
    return json_response(answer)


def _page(
    request: Request, since: int, to: int, limit: int, types: frozenset[int] | None
) -> ChangesAnswer:
    log = request.services.change_log
    if limit == UNLIMITED:
        # Orthanc looks for one more than `limit`, and that is 0 in 32 bits.
        return _answer(msgspec.structs.replace(log.newest(request.caller), changes=[]))
    return _answer(log.page(request.caller, since, to, limit, types))


def _answer(page: ChangesPage) -> ChangesAnswer:
    if not page.changes:
        return ChangesAnswer([], page.done, page.last_allocated)
    entries = [change_entry(*row) for row in page.changes]
    return ChangesAnswer(entries, page.done, entries[-1].Seq, entries[0].Seq)


def _bounds(arguments: dict[str, str]) -> tuple[int, int, int]:
    """(since, to, limit); if one of them is no number all three have their defaults."""
    try:
        limit = unsigned_argument(arguments["limit"], 32) if "limit" in arguments else DEFAULT_LIMIT
        since = integer_argument(arguments.get("since", "0"))
        to = integer_argument(arguments.get("to", "-1"))
        return since, to, limit
    except BadParameterType:
        return 0, -1, DEFAULT_LIMIT


async def delete_changes(request: Request) -> Response:
    """Empties the log; sequence numbers go on."""
    await request.services.change_log.clear(request.caller)
    return text_response()
