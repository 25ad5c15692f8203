"""GET /openapi.json: the description of this API, this server's own."""

from functools import cache

from orthanc_fast.config import Settings
from orthanc_fast.rest.openapi import openapi
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import PLAIN_JSON, Response, encode_json
from orthanc_fast.rest.router import Router
from orthanc_fast.rights import Right

PLACEHOLDER = "{address of this server}"


def add_routes(router: Router, settings: Settings) -> None:
    @cache
    def document() -> bytes:
        return encode_json(openapi(router.routes, settings, PLACEHOLDER))

    async def get_openapi(request: Request) -> Response:
        """This description: every route of the server, as OpenAPI 3.1."""
        address = encode_json(request.base_url or ".")
        return Response(document().replace(encode_json(PLACEHOLDER), address, 1), PLAIN_JSON)

    router.add(
        "GET",
        "/openapi.json",
        get_openapi,
        answer="application/json",
        needs=Right.BROWSE,
        limited=True,
    )
