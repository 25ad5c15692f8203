"""The functions of the server that Lua scripts call. Wrong arguments give nil and a line in the
log, as in Orthanc. Source: reference chapter 7, section 6.2; chapter 4, section 9.3."""

from collections.abc import Coroutine
from concurrent.futures import Future
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from lupa import lua53

from orthanc_fast.dicom.identifiers import from_text
from orthanc_fast.errors import OrthancError
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Caller
from orthanc_fast.scripting.http_client import Credentials, HttpCalls
from orthanc_fast.scripting.lua.context import Context, Fault, Function
from orthanc_fast.scripting.lua.values import parsed, text
from orthanc_fast.scripting.rest_calls import Reply
from orthanc_fast.services.key_values.stores import KeyValueStores
from orthanc_fast.services.scripts.stability import SetStable

if TYPE_CHECKING:
    from orthanc_fast.scripting.host import Host

LUA: Final = Caller(origin="Lua")
NETWORK: Final = 9
_FORM: Final = "application/x-www-form-urlencoded"


class Functions:
    """Those of one context, which is set before any is called."""

    context: Context

    def __init__(self, host: "Host") -> None:
        self._host = host
        self._http = HttpCalls(host.rest, host.settings)
        self._credentials: Credentials | None = None
        self._timeout = float(host.settings.http_timeout)

    def by_name(self) -> dict[str, Function]:
        """All of them, under the names that scripts call."""
        return {
            "RestApiGet": self._rest("GET"),
            "RestApiPost": self._rest("POST"),
            "RestApiPut": self._rest("PUT"),
            "RestApiDelete": self._rest("DELETE"),
            "HttpGet": self._http_get,
            "HttpPost": self._http_with_body("POST"),
            "HttpPut": self._http_with_body("PUT"),
            "HttpDelete": self._http_delete,
            "SetHttpCredentials": self._set_credentials,
            "SetHttpTimeout": self._set_timeout,
            "ParseJson": self._parse_json,
            "GetOrthancConfiguration": self._configuration,
            "SetStableStatus": self._set_stable,
            "StoreKeyValue": self._store_key_value,
            "GetKeyValue": self._get_key_value,
            "DeleteKeyValue": self._delete_key_value,
        }

    # REST

    def _rest(self, method: str) -> Function:
        name = f"RestApi{method.title()}"
        has_body = method in ("POST", "PUT")
        least = 2 if has_body else 1

        def call(*arguments: Any) -> Any:
            texts = [_text(each) for each in arguments[:least]]
            if not least <= len(arguments) <= least + 2 or None in texts:
                return _bad(name)
            uri = texts[0] or ""
            builtin, headers = (*arguments[least:], None, None)[:2]
            if not uri.startswith("/") or "//" in uri.partition("?")[0]:
                return _failed(name, uri, "Badly formatted URI")
            begun = self._host.rest.begin(
                LUA,
                method,
                uri,
                (_raw(arguments[1]) or b"") if has_body else b"",
                _headers(headers),
                bool(builtin),
            )
            reply = begun if isinstance(begun, Reply) else self.context.outside(begun)
            if not reply.is_success:
                return _failed(name, uri, f"status {reply.status}")
            return True if method == "DELETE" else reply.body

        return call

    # HTTP

    def _http_get(self, *arguments: Any) -> Any:
        url = _text(arguments[0]) if arguments else None
        if url is None or len(arguments) > 2:
            return _bad("HttpGet")
        return self._sent("HttpGet", "GET", url, b"", *arguments[1:])

    def _http_with_body(self, method: str) -> Function:
        name = f"Http{method.title()}"

        def call(*arguments: Any) -> Any:
            url = _text(arguments[0]) if arguments else None
            body = _raw(arguments[1]) if len(arguments) > 1 else b""
            if url is None or body is None or len(arguments) > 3:
                return _bad(name)
            return self._sent(name, method, url, body, *arguments[2:])

        return call

    def _http_delete(self, *arguments: Any) -> Any:
        url = _text(arguments[0]) if arguments else None
        if url is None or len(arguments) > 2:
            return _bad("HttpDelete")
        try:
            self._send("DELETE", url, b"", *arguments[1:])
        except OSError as error:
            raise Fault(f"Cannot access {url}: {error}", NETWORK) from error
        return b"SUCCESS"

    def _sent(self, name: str, method: str, url: str, body: bytes, headers: Any = None) -> Any:
        try:
            return self._send(method, url, body, headers)
        except OSError as error:
            return _failed(name, url, str(error))

    def _send(self, method: str, url: str, body: bytes, headers: Any = None) -> bytes:
        fields = _headers(headers)
        if method in ("POST", "PUT") and "content-type" not in {each.lower() for each in fields}:
            fields["Content-Type"] = _FORM
        begun: Future[bytes] = self._http.begin(
            method, url, body, fields, self._credentials, self._timeout
        )
        return self.context.outside(begun)

    def _set_credentials(self, *arguments: Any) -> None:
        texts = [_text(each) for each in arguments]
        if len(texts) != 2 or texts[0] is None or texts[1] is None:
            _bad("SetHttpCredentials")
        else:
            self._credentials = (texts[0], texts[1]) if texts[0] else None

    def _set_timeout(self, *arguments: Any) -> None:
        seconds = _number(arguments[0]) if len(arguments) == 1 else None
        if seconds is None:
            _bad("SetHttpTimeout")
        else:
            self._timeout = max(0.0, seconds)

    # JSON and the configuration

    def _parse_json(self, *arguments: Any) -> Any:
        given = _raw(arguments[0]) if len(arguments) == 1 else None
        if given is None:
            return _bad("ParseJson")
        try:
            return self.context.table(parsed(given))
        except ValueError:
            return None

    def _configuration(self, *arguments: Any) -> Any:
        return self.context.table(self._host.settings.raw)

    # The store

    def _set_stable(self, *arguments: Any) -> Any:
        resource = _text(arguments[0]) if len(arguments) == 2 else None
        if resource is None or not isinstance(arguments[1], bool):
            return _bad("SetStableStatus")
        public = from_text(resource)
        changed: bool | None = None
        if public is not None:
            write = SetStable(public, arguments[1])
            begun = self._host.rest.begin_work(self._host.services.writes(LUA, write))
            changed = self.context.outside(begun)
        if changed is None:
            logger.error(Category.LUA, f"Lua: Error in SetStableStatus() for Resource: {resource}")
        return changed

    def _store_key_value(self, *arguments: Any) -> Any:
        texts = [_text(each) for each in arguments]
        if len(texts) != 3 or texts[0] is None or texts[1] is None or texts[2] is None:
            return _bad("StoreKeyValue")
        value = _raw(arguments[2])
        return self._changed(
            "StoreKeyValue", value, self._stores.put(LUA, texts[0], texts[1], value or b"")
        )

    def _get_key_value(self, *arguments: Any) -> Any:
        texts = [_text(each) for each in arguments]
        if len(texts) != 2 or texts[0] is None or texts[1] is None:
            return _bad("GetKeyValue")
        return self._stores.get(LUA, texts[0], texts[1])

    def _delete_key_value(self, *arguments: Any) -> Any:
        texts = [_text(each) for each in arguments]
        if len(texts) != 2 or texts[0] is None or texts[1] is None:
            return _bad("DeleteKeyValue")
        return self._changed(
            "DeleteKeyValue", _raw(arguments[1]), self._stores.delete(LUA, texts[0], texts[1])
        )

    def _changed(self, name: str, given: bytes | None, change: Coroutine[Any, Any, None]) -> Any:
        """What was given, once the change is durable."""
        try:
            self.context.outside(self._host.rest.begin_work(change))
        except OrthancError as error:
            logger.error(Category.LUA, f"Lua: Error in {name}(): {error}")
            return None
        return given

    @cached_property
    def _stores(self) -> KeyValueStores:
        return KeyValueStores(self._host.services.reads, self._host.services.writes)


def _raw(value: Any) -> bytes | None:
    """A text as Lua has it, or a number as one; None for anything else."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return b"%d" % value if isinstance(value, int) else f"{value:.14g}".encode()
    return None


def _text(value: Any) -> str | None:
    found = _raw(value)
    return None if found is None else text(found)


def _number(value: Any) -> float | None:
    found = _raw(value)
    try:
        return None if found is None else float(found)
    except ValueError:
        return None


def _headers(table: Any) -> dict[str, str]:
    """A table of Lua as headers; anything else is none."""
    if lua53.lua_type(table) != "table":
        return {}
    pairs = ((_text(key), _text(value)) for key, value in table.items())
    return {key: value for key, value in pairs if key and value is not None}


def _bad(name: str) -> None:
    logger.error(Category.LUA, f"Lua: Bad parameters to {name}()")


def _failed(name: str, where: str, why: str) -> None:
    what = "URL" if name.startswith("Http") else "URI"
    logger.error(Category.LUA, f"Lua: Error in {name}() for {what} {where}: {why}")
