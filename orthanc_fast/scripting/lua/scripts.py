"""The Lua scripts of a server: two contexts, each with all scripts. Source: reference chapter 4,
section 9; chapter 7, section 6."""

import math
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from orthanc_fast.errors import OrthancError
from orthanc_fast.log import Category, logger
from orthanc_fast.scripting.channel import Tell
from orthanc_fast.scripting.host import CannotLoad, Scripts
from orthanc_fast.scripting.lua.context import Context
from orthanc_fast.scripting.lua.events import Events
from orthanc_fast.scripting.lua.functions import Functions
from orthanc_fast.scripting.lua.questions import arriving, truth
from orthanc_fast.scripting.lua.routing import Routing
from orthanc_fast.scripting.observer import Event
from orthanc_fast.services.scripts.faults import ScriptFault
from orthanc_fast.services.scripts.options import Language
from orthanc_fast.services.scripts.questions import (
    Arriving,
    Callback,
    FindRequest,
    HttpRequest,
    Leaving,
    OutgoingFind,
)
from orthanc_fast.services.scripts.registered import Registration

if TYPE_CHECKING:
    from orthanc_fast.scripting.host import Host

BAD_OUTPUT: Final = 2033

# Those that are called in the context of filters; `/tools/execute-script` cannot change them.
FILTERS: Final = frozenset(
    {Callback.INSTANCE_FILTER, Callback.CSTORE_FILTER, Callback.OUTGOING_FILTER}
)
OTHERS: Final = frozenset(
    {
        Callback.HTTP_FILTER,
        Callback.FIND_FILTER,
        Callback.WORKLIST_FILTER,
        Callback.OUTGOING_FIND_FILTER,
    }
)

_json = msgspec.json.Decoder().decode
_unpack = msgspec.msgpack.decode


class LuaScripts(Scripts):
    """Those of one process."""

    language: ClassVar[Language] = "lua"

    def __init__(self, host: "Host") -> None:
        super().__init__(host)
        self._filter: Context
        self._main: Context
        self._answers: dict[str, Callable[[bytes], Any]] = {
            Callback.INSTANCE_FILTER: self._instance_filter,
            Callback.CSTORE_FILTER: self._cstore_filter,
            Callback.OUTGOING_FILTER: self._outgoing_filter,
            Callback.HTTP_FILTER: self._http_filter,
            Callback.FIND_FILTER: self._find_filter,
            Callback.WORKLIST_FILTER: self._worklist_filter,
            Callback.OUTGOING_FIND_FILTER: self._outgoing_find_filter,
            Callback.EXECUTE: self._execute,
        }

    def load(self) -> None:
        self._filter = self._context("filters")
        self._main = self._context("main")
        self._routing = Routing(self.host)
        self._events = Events(self.host, self._main, self._routing)
        for context in (self._filter, self._main):
            for path in self.host.options.lua_scripts:
                try:
                    context.load(path)
                except OSError as error:
                    raise CannotLoad(f"LuaScripts: cannot read {path}: {error.strerror}") from error
                except ScriptFault as error:
                    raise CannotLoad(f"LuaScripts: {path}: {error.details}") from error

    def _context(self, name: str) -> Context:
        functions = Functions(self.host)
        # A quarter for each of the two: the rest is for the process itself.
        memory = (self.host.options.maximum_memory_mb << 20) // 4
        context = Context(f"lua-{name}", functions.by_name(), self.host.watchdog.limited, memory)
        functions.context = context
        return context

    def registration(self) -> Registration:
        found = {each.value for each in FILTERS if self._filter.has(each)}
        found |= {each.value for each in OTHERS if self._main.has(each)}
        if self.host.options.execute_lua:
            found.add(Callback.EXECUTE.value)
        return Registration(frozenset(found))

    def wanted(self) -> frozenset[int] | None:
        return self._events.wanted()

    def handle(self, event: Event) -> None:
        self._events.handle(event)

    def settled(self, position: int) -> int:
        return self._routing.done(position)

    def started(self) -> None:
        self._routing.start()
        self._call_if_there("Initialize")
        if self.host.options.lua_heart_beat:
            threading.Thread(target=self._beat, name="lua-heart-beat", daemon=True).start()

    def stop(self) -> None:
        self._routing.stop(3.0)
        self._call_if_there("Finalize")

    def _call_if_there(self, name: str) -> None:
        if self._main.has(name):
            try:
                self._main.call(self.host.options.event_timeout, name)
            except OrthancError as error:
                logger.error(Category.LUA, f"{name}: {error}")

    def _beat(self) -> None:
        pause = threading.Event()
        while not pause.wait(self.host.options.lua_heart_beat):
            self._call_if_there("OnHeartBeat")

    # Questions

    def answer(self, callback: str, payload: bytes, tell: Tell | None) -> Any:
        return self._answers[callback](payload)

    def _ask(self, context: Context, callback: Callback, *arguments: Any) -> Any:
        return context.call(self.host.options.filter_timeout, callback.value, *arguments)

    def _instance_filter(self, payload: bytes) -> bool:
        arguments = arriving(_unpack(payload, type=Arriving))
        return truth(self._ask(self._filter, Callback.INSTANCE_FILTER, *arguments))

    def _cstore_filter(self, payload: bytes) -> int:
        arguments = arriving(_unpack(payload, type=Arriving))
        found = self._ask(self._filter, Callback.CSTORE_FILTER, *arguments)
        if isinstance(found, bool) or not isinstance(found, int | float):
            raise ScriptFault("The filter must give a DIMSE status", code=BAD_OUTPUT)
        # As in Orthanc, a number that is no integer is none: 0.
        return int(found) if math.isfinite(found) and found == int(found) else 0

    def _outgoing_filter(self, payload: bytes) -> bool:
        asked = _unpack(payload, type=Leaving)
        destination = {"RemoteAet": asked.remote_aet, "RemoteIp": asked.remote_ip}
        callback = Callback.OUTGOING_FILTER
        return truth(self._ask(self._filter, callback, _json(asked.tags), destination))

    def _http_filter(self, payload: bytes) -> bool:
        asked = _unpack(payload, type=HttpRequest)
        arguments = (asked.method, asked.uri, asked.ip, asked.user, asked.headers)
        return truth(self._ask(self._main, Callback.HTTP_FILTER, *arguments))

    def _find_filter(self, payload: bytes) -> Any:
        return self._asked_query(Callback.FIND_FILTER, payload)

    def _worklist_filter(self, payload: bytes) -> Any:
        return self._asked_query(Callback.WORKLIST_FILTER, payload)

    def _asked_query(self, callback: Callback, payload: bytes) -> Any:
        asked = _unpack(payload, type=FindRequest)
        origin = {
            "RemoteIp": asked.origin.remote_ip or "",
            "RemoteAet": asked.origin.remote_aet or "",
            "CalledAet": asked.origin.called_aet or "",
            "Manufacturer": "Generic",
        }
        return self._query(self._ask(self._main, callback, asked.query, origin))

    def _outgoing_find_filter(self, payload: bytes) -> Any:
        asked = _unpack(payload, type=OutgoingFind)
        callback = Callback.OUTGOING_FIND_FILTER
        return self._query(self._ask(self._main, callback, asked.query, asked.remote_aet))

    def _query(self, found: Any) -> dict[str, Any]:
        query = _json(self._main.json(found))
        if query == []:
            return {}
        if not isinstance(query, dict):
            raise ScriptFault("The filter must give a table of tags", code=BAD_OUTPUT)
        return query

    def _execute(self, payload: bytes) -> str:
        source = _unpack(payload, type=bytes)
        try:
            return self._main.execute(self.host.options.event_timeout, source)
        finally:
            self.host.publish()
