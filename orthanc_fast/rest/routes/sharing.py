"""Share links: one study for whoever has the address, until it expires. This server's own: see
docs/users.md."""

from functools import partial
from typing import Final

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.errors import BadFileFormat, ForbiddenAccess, ParameterOutOfRange
from orthanc_fast.model import Level, timestamp
from orthanc_fast.rest.identity import NOBODY
from orthanc_fast.rest.path_identifiers import public_id
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import NOT_FOUND, Response, empty_response, json_response
from orthanc_fast.rest.router import Router
from orthanc_fast.rest.routes.session import NO_STORE, set_cookie
from orthanc_fast.rights import NOTHING, Right
from orthanc_fast.services.users.sessions import Share

_DAY: Final = 86_400  # seconds
_USUAL: Final = 7 * _DAY
_NO_REFERRER: Final = (b"referrer-policy", b"no-referrer")


class ShareRequest(msgspec.Struct, rename="pascal"):
    """`validity` is in seconds; None: a week, or as long as links may last."""

    validity: int | None = None


class NewShare(msgspec.Struct, rename="pascal"):
    """`url` is relative to the root of the server, and shown this once."""

    id: str = msgspec.field(name="ID")
    url: str
    expires: str


class ShownShare(msgspec.Struct, rename="pascal"):
    """A link, without its address, which nobody knows any more."""

    id: str = msgspec.field(name="ID")
    user: str
    created: str
    expires: str


def add_routes(router: Router, settings: Settings) -> None:
    if not settings.sessions.share_days:
        return
    path = "/studies/{}/share"
    add = partial(router.add, needs=Right.MODIFY, also=Right.BROWSE, limited=True)
    add("POST", path, post_share, body=ShareRequest, answer=NewShare)
    add("GET", path, get_shares, answer=list[ShownShare])
    add("DELETE", f"{path}/{{}}", delete_share)
    router.add("GET", "/app/share/{}", open_share, needs=NOTHING, limited=True)


async def post_share(request: Request) -> Response:
    """A link by which whoever has it sees this study, and nothing else, for `Validity` seconds."""
    study = await _study(request)
    body = await request.body()
    try:
        wanted = msgspec.json.decode(body, type=ShareRequest) if body else ShareRequest()
    except (ValueError, msgspec.DecodeError) as error:
        raise BadFileFormat("a JSON object with Validity, in seconds") from error
    longest = request.services.settings.sessions.share_days * _DAY
    validity = min(_USUAL, longest) if wanted.validity is None else wanted.validity
    if not 0 < validity <= longest:
        raise ParameterOutOfRange(f"Validity must be from 1 to {longest} seconds")
    token, share = await request.services.sessions.share(request.caller, study, validity)
    expires = timestamp(share.record.expires)
    return json_response(NewShare(share.identifier, f"app/share/{token}", expires))


async def get_shares(request: Request) -> Response:
    """The links to this study that still hold."""
    study = await _study(request)
    services = request.services
    found = await services.reads.run(services.sessions.shares, study)
    return json_response([_shown(each) for each in found])


async def delete_share(request: Request) -> Response:
    """Ends a link, in all workers at once."""
    study = await _study(request)
    await request.services.sessions.unshare(study, request.params[1])
    return empty_response(204)


async def open_share(request: Request) -> Response:
    """To the viewer with the study of a link. Who is logged in stays so."""
    services, token = request.services, request.params[0]
    share = await services.reads.run(services.sessions.shared, token)
    if share is None:
        return NOT_FOUND
    page = f"../explorer.html#viewer?study={to_text(share.study)}".encode()
    headers = ((b"location", page), NO_STORE, _NO_REFERRER)
    is_user = request.who is not NOBODY and request.who.study is None
    if is_user or not services.settings.authentication_enabled:
        return empty_response(303, headers)
    seconds = max(1, services.sessions.seconds_left(share))
    return empty_response(303, (*headers, set_cookie(request, token, seconds)))


async def _study(request: Request) -> bytes:
    """The study of the path. Raises UnknownResource, and ForbiddenAccess for who came by a link."""
    if request.who.study is not None:
        raise ForbiddenAccess("who came by a share link makes none")
    services, public = request.services, public_id(request)
    await services.reads.run(services.resources.require, request.caller, Level.STUDY, public)
    return public


def _shown(share: Share) -> ShownShare:
    record = share.record
    return ShownShare(
        share.identifier, record.user, timestamp(record.created), timestamp(record.expires)
    )
