"""/tools/default-encoding. Source: reference chapter 1, section 10.2."""

from orthanc_fast.config import Settings
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import Response, text_response
from orthanc_fast.rest.router import Router
from orthanc_fast.rights import Right

PATH = "/tools/default-encoding"


def add_routes(router: Router, settings: Settings) -> None:
    router.add(
        "GET", PATH, get_default_encoding, answer="text/plain", needs=Right.BROWSE, limited=True
    )
    router.add(
        "PUT",
        PATH,
        put_default_encoding,
        body="text/plain",
        answer="text/plain",
        needs=Right.ADMINISTRATE,
    )


def get_default_encoding(request: Request) -> Response:
    """The character set of files that name none."""
    return text_response(request.services.default_character_set())


async def put_default_encoding(request: Request) -> Response:
    """Sets it in all processes until the server ends; answers its canonical name."""
    text = (await request.body()).decode("utf-8", "replace")
    return text_response(request.services.default_character_set.set(request.caller, text))
