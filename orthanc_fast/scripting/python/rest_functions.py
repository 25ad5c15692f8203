"""The functions that call the REST API and other servers. Source: reference chapter 7,
section 3."""

import base64
from http import HTTPStatus
from typing import Final

import msgspec

from orthanc_fast.scripting.python.arguments import takes
from orthanc_fast.scripting.python.exceptions import OrthancException, failure
from orthanc_fast.scripting.python.surroundings import Surroundings

_NETWORK_PROTOCOL: Final = 9
_BAD_URI: Final = 12
_UNKNOWN_RESOURCE: Final = 17
_NOT_NAMED: Final = {
    HTTPStatus.BAD_REQUEST: 8,
    HTTPStatus.UNAUTHORIZED: 29,
    HTTPStatus.FORBIDDEN: 45,
    HTTPStatus.NOT_FOUND: _UNKNOWN_RESOURCE,
    HTTPStatus.METHOD_NOT_ALLOWED: _UNKNOWN_RESOURCE,  # as with Orthanc
    HTTPStatus.NOT_ACCEPTABLE: 34,
    HTTPStatus.CONFLICT: 43,
    HTTPStatus.SERVICE_UNAVAILABLE: 36,
}


class _Described(msgspec.Struct):
    OrthancStatus: int


_described = msgspec.json.Decoder(_Described).decode


class RestFunctions:
    """Calls of the REST API in this process."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    def _body(self, method: str, uri: str, body: bytes, builtin: bool) -> bytes:
        if not uri.startswith("/"):
            raise failure(_BAD_URI)
        answer = self._around.call(method, uri, body, builtin)
        if answer.status >= 300:
            raise _of_status(answer.status, answer.body)
        return answer.body

    @takes("s")
    def RestApiGet(self, uri: str) -> bytes:
        return self._body("GET", uri, b"", True)

    @takes("sb")
    def RestApiPost(self, uri: str, body: bytes) -> bytes:
        return self._body("POST", uri, body, True)

    @takes("sb")
    def RestApiPut(self, uri: str, body: bytes) -> bytes:
        return self._body("PUT", uri, body, True)

    @takes("s")
    def RestApiDelete(self, uri: str) -> None:
        self._body("DELETE", uri, b"", True)

    @takes("s")
    def RestApiGetAfterPlugins(self, uri: str) -> bytes:
        return self._body("GET", uri, b"", False)

    @takes("sb")
    def RestApiPostAfterPlugins(self, uri: str, body: bytes) -> bytes:
        return self._body("POST", uri, body, False)

    @takes("sb")
    def RestApiPutAfterPlugins(self, uri: str, body: bytes) -> bytes:
        return self._body("PUT", uri, body, False)

    @takes("s")
    def RestApiDeleteAfterPlugins(self, uri: str) -> None:
        self._body("DELETE", uri, b"", False)


class HttpClientFunctions:
    """Calls of other servers, by the options of the configuration for all of them."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    @takes("sss")
    def HttpGet(self, url: str, user: str, password: str) -> bytes:
        return self._around.run(self._ask("GET", url, None, user, password))

    @takes("sbss")
    def HttpPost(self, url: str, body: bytes, user: str, password: str) -> bytes:
        return self._around.run(self._ask("POST", url, body, user, password))

    @takes("sbss")
    def HttpPut(self, url: str, body: bytes, user: str, password: str) -> bytes:
        return self._around.run(self._ask("PUT", url, body, user, password))

    @takes("sss")
    def HttpDelete(self, url: str, user: str, password: str) -> None:
        self._around.run(self._ask("DELETE", url, None, user, password))

    async def _ask(
        self, method: str, url: str, body: bytes | None, user: str, password: str
    ) -> bytes:
        import aiohttp  # large, and few scripts need it

        outgoing = self._around.early_services.outgoing
        headers = {}
        if user:
            secret = base64.b64encode(f"{user}:{password}".encode()).decode()
            headers["Authorization"] = f"Basic {secret}"
        try:
            async with (
                outgoing.session(self._around.settings.http_timeout) as client,
                client.request(method, url, data=body, headers=headers) as answer,
            ):
                content = await answer.read()
        except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
            raise failure(_NETWORK_PROTOCOL) from error
        if answer.status >= 300:
            code = _NOT_NAMED.get(HTTPStatus(answer.status), _NETWORK_PROTOCOL)
            raise failure(code if code in (_UNKNOWN_RESOURCE, 29) else _NETWORK_PROTOCOL)
        return content


def _of_status(status: int, body: bytes) -> OrthancException:
    try:
        return failure(_described(body).OrthancStatus)
    except msgspec.MsgspecError:
        return failure(_NOT_NAMED.get(HTTPStatus(status), -1))
