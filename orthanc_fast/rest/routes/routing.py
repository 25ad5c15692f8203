"""/routing: queues of destinations, and what rules would do; there where `Routing` is configured.
This server's own."""

from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.config_routing import rule as parsed_rule
from orthanc_fast.errors import BadFileFormat, BadRequest, ForbiddenAccess
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import Response, json_response, text_response
from orthanc_fast.rest.router import Handler, Router
from orthanc_fast.rest.uri import unsigned_argument
from orthanc_fast.rights import Right

if TYPE_CHECKING:
    from orthanc_fast.services.routing.overview import Overview

T = TypeVar("T")

DEFAULT_LIMIT: Final = 100
MOST: Final = 1000


class TryBody(msgspec.Struct, forbid_unknown_fields=True):
    """What is tried: identifiers of resources of any level."""

    Resources: list[str]


class TryRuleBody(msgspec.Struct, forbid_unknown_fields=True):
    """Likewise, with a rule as it would be configured."""

    Rule: dict[str, Any]
    Resources: list[str]


def add_routes(router: Router, settings: Settings) -> None:
    if settings.routing is None:
        return
    # Here, so that a server that routes nothing loads nothing of it.
    from orthanc_fast.services.routing.overview import DestinationAnswer, EntryAnswer, RoutingAnswer
    from orthanc_fast.services.routing.trying import Trial

    add = partial(router.add, needs=Right.ADMINISTRATE)
    path, page = "/routing/destinations/{}", "since limit"
    add("GET", "/routing", get_routing, answer=RoutingAnswer)
    add("GET", path, get_destination, answer=DestinationAnswer)
    add("GET", f"{path}/queue", get_queue, arguments=page, answer=list[EntryAnswer])
    add("GET", f"{path}/failed", get_failed, arguments=page, answer=list[EntryAnswer])
    add("POST", "/routing/try", post_try_rule, body=TryRuleBody, answer=Trial)
    add("POST", "/routing/rules/{}/try", post_try, body=TryBody, answer=Trial)
    if settings.read_only:
        return
    add("PUT", path, put_destination, body=dict[str, Any], answer="text/plain")
    add("DELETE", path, delete_destination, answer="text/plain")
    rule = "/routing/rules/{}"
    add("PUT", rule, put_rule, body=dict[str, Any], answer="text/plain")
    add("DELETE", rule, delete_rule, answer="text/plain")
    add("DELETE", f"{path}/queue", delete_queue, answer="text/plain")
    add("DELETE", f"{path}/failed", delete_failed, answer="text/plain")
    add("POST", f"{path}/retry", post_retry, answer="text/plain")
    add("POST", f"{path}/pause", _pause(True), answer="text/plain")
    add("POST", f"{path}/resume", _pause(False), answer="text/plain")


def get_routing(request: Request) -> Response:
    """All rules, all destinations with the states of their queues."""
    return json_response(_overview(request).all(request.caller))


def get_destination(request: Request) -> Response:
    """One destination with the state of its queue."""
    return json_response(_overview(request).destination(request.caller, request.params[0]))


def get_queue(request: Request) -> Response:
    """The entries that wait, the oldest first: from the number `since` on, up to `limit`."""
    since, limit = _page(request)
    found = _overview(request).entries(request.caller, request.params[0], since, limit)
    return json_response(found)


def get_failed(request: Request) -> Response:
    """The instances that were set aside: from the number `since` on, up to `limit`."""
    since, limit = _page(request)
    found = _overview(request).set_aside(request.caller, request.params[0], since, limit)
    return json_response(found)


async def put_destination(request: Request) -> Response:
    """Adds or replaces a destination, as it would be configured; the modality, peer, server or
    folder must be there. A folder needs `RestApiWriteToFileSystemEnabled`."""
    body = await _body(request, dict[str, Any])
    if body.get("Folder") and not request.services.settings.write_to_file_system_enabled:
        raise ForbiddenAccess(
            "a Folder is for the configuration, unless RestApiWriteToFileSystemEnabled is true"
        )
    trials = await request.services.routing_trials()
    await trials.check_destination(request.params[0], body)
    await _overview(request).put_destination(request.caller, request.params[0], body)
    return text_response()


async def delete_destination(request: Request) -> Response:
    """Removes a destination that was added, with its queue."""
    await _overview(request).delete_destination(request.caller, request.params[0])
    return text_response()


async def put_rule(request: Request) -> Response:
    """Adds or replaces a rule, as it would be configured: it concerns what happens from now on."""
    name, body = request.params[0], await _body(request, dict[str, Any])
    trials = await request.services.routing_trials()
    await trials.check(name, body)
    await _overview(request).put_rule(request.caller, name, body)
    return text_response()


async def delete_rule(request: Request) -> Response:
    """Removes a rule that was added; what waits for it is set aside."""
    await _overview(request).delete_rule(request.caller, request.params[0])
    return text_response()


async def delete_queue(request: Request) -> Response:
    """Empties a queue."""
    await _overview(request).empty(request.caller, request.params[0])
    return text_response()


async def delete_failed(request: Request) -> Response:
    """Forgets what was set aside."""
    await _overview(request).forget_set_aside(request.caller, request.params[0])
    return text_response()


async def post_retry(request: Request) -> Response:
    """Makes the next attempt now; what was set aside waits again, at the end."""
    await _overview(request).retry(request.caller, request.params[0])
    return text_response()


def _pause(is_paused: bool) -> Handler:
    async def post_pause(request: Request) -> Response:
        """Stops or goes on sending to a destination."""
        await _overview(request).pause(request.caller, request.params[0], is_paused)
        return text_response()

    return post_pause


async def post_try(request: Request) -> Response:
    """What a rule would do with stored resources; nothing is sent."""
    body = await _body(request, TryBody)
    trials = await request.services.routing_trials()
    found = await trials.tried_configured(request.caller, request.params[0], body.Resources)
    return json_response(found)


async def post_try_rule(request: Request) -> Response:
    """The same of a rule that is not configured, in the body."""
    body = await _body(request, TryRuleBody)
    try:
        rule = parsed_rule("tried", body.Rule, _overview(request).routing.destinations)
    except ValueError as error:
        raise BadFileFormat(str(error)) from error
    trials = await request.services.routing_trials()
    return json_response(await trials.tried(request.caller, "tried", rule, body.Resources))


async def _body(request: Request, kind: type[T]) -> T:
    try:
        return msgspec.convert(await request.json(), kind)
    except msgspec.ValidationError as error:
        raise BadRequest(str(error)) from error


def _page(request: Request) -> tuple[int, int]:
    arguments = request.arguments
    since = unsigned_argument(arguments.get("since", "0"), 64)
    limit = unsigned_argument(arguments.get("limit", str(DEFAULT_LIMIT)), 32)
    return since, min(limit, MOST)


def _overview(request: Request) -> "Overview":
    found = request.services.routing
    assert found is not None  # the routes are there where it is
    return found
