"""The Python script of a site in its process: what workers ask it, and what it hears."""

import contextlib
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Final

import msgspec

from orthanc_fast.log import Category, logger
from orthanc_fast.scripting.channel import Tell
from orthanc_fast.scripting.host import CannotLoad, Host, Scripts
from orthanc_fast.scripting.observer import Event
from orthanc_fast.scripting.python import dicom_callbacks
from orthanc_fast.scripting.python.answer_parts import MOST, AnswerParts
from orthanc_fast.scripting.python.dictionary_functions import Defined
from orthanc_fast.scripting.python.enumerations import MEMBERS
from orthanc_fast.scripting.python.events import (
    NEW_INSTANCE,
    STARTED,
    STOPPED,
    Change,
    Changes,
    stored_instance,
)
from orthanc_fast.scripting.python.exceptions import PLUGIN, OrthancException, code_of
from orthanc_fast.scripting.python.instances import ORIGINS, DicomInstance, Facts
from orthanc_fast.scripting.python.loading import SERVER, load_script, use_environment
from orthanc_fast.scripting.python.module import build
from orthanc_fast.scripting.python.other_functions import Description
from orthanc_fast.scripting.python.output import RestOutput
from orthanc_fast.scripting.python.registry import Function, Registry
from orthanc_fast.scripting.python.surroundings import Surroundings
from orthanc_fast.scripting.watchdog import Limit
from orthanc_fast.services.scripts.faults import ScriptFault
from orthanc_fast.services.scripts.options import Language
from orthanc_fast.services.scripts.questions import (
    Arriving,
    Callback,
    HttpRequest,
    Origin,
    Received,
    RestAnswer,
    RestRequest,
    Verdict,
)
from orthanc_fast.services.scripts.registered import Registration

LAST_CALLBACK: Final = 5.0  # seconds that ORTHANC_STOPPED may take
_ACTIONS = MEMBERS["ReceivedInstanceAction"]
_METHODS = MEMBERS["HttpMethod"]
_BODIES: Final = frozenset({"POST", "PUT"})


class PythonScripts(Scripts):
    """One file, imported once."""

    language: ClassVar[Language] = "python"

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._registry = Registry(host.publish)
        self._description = Description(host.publish)
        self._defined = Defined(host.publish)
        self._start_told = threading.Event()
        self._answers: dict[str, Callable[[bytes], Any]] = {
            Callback.RECEIVED_INSTANCE: self._received,
            Callback.CSTORE_FILTER: self._cstore,
            Callback.HTTP_FILTER: self._http,
        }

    def load(self) -> None:
        options = self.host.options
        path = options.python_script
        assert path is not None
        self._around = Surroundings(self.host.settings, self.host.rest)
        self._changes = Changes(self._around, self._tell)
        self._answers |= dicom_callbacks.answers(self._around, self._registry, self._calling)
        build(self._around, self._registry, self._description, self._defined)
        if options.virtual_environment is not None:
            use_environment(options.virtual_environment)
        try:
            load_script(path)
        except CannotLoad as error:
            if error.__cause__ is not None:
                logger.error(Category.PLUGINS, _traced(error.__cause__))
            raise
        # Before the first question: who waits for a new process asks at once.
        self._around.is_running = True
        if options.python_verbose:
            routes = [pattern for pattern, _ in self._registry.routes]
            names = ", ".join([*self._registry.functions, *routes]) or "nothing"
            logger.warning(Category.PLUGINS, f"{path.name} has registered: {names}")

    def registration(self) -> Registration:
        names = self._registry.functions.keys()
        found = {str(each) for each in Callback if each in names}
        found |= {callback for name, callback in dicom_callbacks.CALLBACKS.items() if name in names}
        if self._registry.routes:
            found.add(str(Callback.REST))
        routes = tuple(pattern for pattern, _ in self._registry.routes)
        described, tags = self._description.value, self._defined.value
        return Registration(frozenset(found), routes, described, tags)

    def wanted(self) -> frozenset[int] | None:
        if "change" in self._registry.functions:
            return None
        return frozenset({2}) if "stored" in self._registry.functions else frozenset()

    def started(self) -> None:
        threading.Thread(target=self._tell_start, name="changes", daemon=True).start()

    def _tell_start(self) -> None:
        try:
            self._tell(STARTED)
        finally:
            self._start_told.set()

    def stop(self) -> None:
        if not self._start_told.is_set():
            return  # it is busy with its start
        last = threading.Thread(target=self._tell, args=(STOPPED,), name="changes", daemon=True)
        last.start()
        last.join(LAST_CALLBACK)

    # Events

    def handle(self, event: Event) -> None:
        self._start_told.wait()
        if event.kind == NEW_INSTANCE:
            self._stored(event.resource)
        if "change" in self._registry.functions:
            self._changes.of(event)

    def idle(self) -> None:
        self._changes.rest()

    def _tell(self, change: Change) -> None:
        function = self._registry.get("change")
        if function is not None:
            self._heard(f"the change {change[0]} of {change[2]}", lambda: function(*change))

    def _stored(self, identifier: str) -> None:
        function = self._registry.get("stored")
        if function is None:
            return
        instance = stored_instance(self._around, identifier)
        if instance is not None:
            try:
                self._heard(
                    f"OnStoredInstance of {identifier}", lambda: function(instance, identifier)
                )
            finally:
                instance._forget()

    def _heard(self, what: str, call: Callable[[], Any]) -> None:
        """Runs a callback of an event, whose errors are logged only."""
        with self.host.watchdog.limited(self.host.options.event_timeout, what):
            try:
                call()
            except BaseException as error:
                logger.error(Category.PLUGINS, f"{what}: {_traced(error)}")

    # Questions

    def answer(self, callback: str, payload: bytes, tell: Tell | None) -> Any:
        if callback == Callback.REST:
            return self._rest(payload, tell)
        return self._answers[callback](payload)

    def _calling(
        self, what: str, seconds: float, function: Function, *given: Any, **named: Any
    ) -> Any:
        limit = self.host.watchdog.limited(seconds, what)
        return self._called(limit, what, function, *given, **named)

    def _called(
        self, limit: Limit, what: str, function: Function, *given: Any, **named: Any
    ) -> Any:
        """What a function of the script returns, within the time that it may take. Raises
        ScriptFault with the code of its OrthancException."""
        with limit:
            try:
                return function(*given, **named)
            except BaseException as error:  # SystemExit too
                logger.error(Category.PLUGINS, f"{what}: {_traced(error)}")
                raise ScriptFault(None, code=code_of(error)) from error

    def _filter(self, what: str, function: Function, *given: Any, **named: Any) -> Any:
        seconds = self.host.options.filter_timeout
        return self._calling(what, seconds, function, *given, **named)

    def _rest(self, payload: bytes, tell: Tell | None) -> RestAnswer:
        asked = _decode_rest(payload)
        _, function = self._registry.routes[asked.route]
        request: dict[str, Any] = {
            "method": asked.method,
            "groups": asked.groups,
            "headers": asked.headers,
        }
        if asked.method == "GET":
            request["get"] = asked.arguments
        if asked.method in _BODIES:
            request["body"] = _body(asked)
        limit = self.host.watchdog.limited(self.host.options.event_timeout, asked.uri)
        output = RestOutput(asked.uri, None if tell is None else AnswerParts(tell, limit))
        try:
            self._called(limit, asked.uri, function, output, asked.uri, **request)
        except ScriptFault as error:
            output._forget()
            if output._error_details is not None:
                raise ScriptFault(output._error_details, code=error.code) from error
            raise
        answer = output._finish()
        if answer is None:
            logger.error(Category.PLUGINS, f"{asked.uri}: the script has answered nothing")
            raise ScriptFault("The script has answered nothing", code=PLUGIN)
        if tell is None or len(answer.body) <= MOST:
            return answer
        return _sent_in_parts(answer, AnswerParts(tell))

    def _received(self, payload: bytes) -> Verdict:
        asked = _decode_received(payload)
        function = self._registry.get(Callback.RECEIVED_INSTANCE)
        assert function is not None
        origin = ORIGINS.get(asked.origin.request_origin, ORIGINS["Unknown"])
        found = self._filter("ReceivedInstance", function, asked.content, origin)
        if isinstance(found, tuple) and len(found) == 2:
            action, content = found
            if action == _ACTIONS["DISCARD"]:
                return Verdict("discard")
            if action == _ACTIONS["MODIFY"] and isinstance(content, (bytes, bytearray)):
                return Verdict("modify", bytes(content))
            if action == _ACTIONS["KEEP_AS_IS"]:
                return Verdict("keep")
        logger.error(
            Category.PLUGINS,
            "ReceivedInstance: the script must return a tuple (ReceivedInstanceAction, bytes or "
            "None); the instance is kept as it is",
        )
        return Verdict("keep")

    def _cstore(self, payload: bytes) -> int:
        asked = _decode_arriving(payload)
        function = self._registry.get(Callback.CSTORE_FILTER)
        assert function is not None
        instance = DicomInstance(self._around, asked.content or b"", facts_of(asked.origin))
        try:
            found = self._filter("IncomingCStoreInstanceFilter", function, instance)
        finally:
            instance._forget()
        if not isinstance(found, int):
            raise ScriptFault("The filter of C-STORE must return an integer")
        return int(found)  # True is 1, as with Orthanc

    def _http(self, payload: bytes) -> bool:
        asked = _decode_http(payload)
        function = self._registry.get(Callback.HTTP_FILTER)
        assert function is not None
        request: dict[str, Any] = {
            "method": _METHODS[asked.method],
            "ip": asked.ip,
            "headers": asked.headers,
        }
        if asked.method == "GET":
            request["get"] = asked.arguments
        found = self._filter("IncomingHttpRequestFilter", function, asked.uri, **request)
        if not isinstance(found, bool):
            raise ScriptFault("The filter of HTTP requests must return a Boolean")
        return found


def _body(asked: RestRequest) -> bytes:
    """Raises ScriptFault."""
    if asked.body_file is None:
        return asked.body
    try:
        return Path(asked.body_file).read_bytes()
    except MemoryError as error:
        raise ScriptFault(
            "The body is too large for the script process: see MaximumMemoryMB", code=4
        ) from error


def _sent_in_parts(answer: RestAnswer, way: AnswerParts) -> RestAnswer:
    """What is left of a large answer when its body has been sent: a worker never has all of it."""
    body = answer.body
    left = msgspec.structs.replace(answer, body=b"", length=len(body))
    with contextlib.suppress(OrthancException):  # the client has gone
        way.begin(left)
        way.send(body)
    return left


_decode_rest = msgspec.msgpack.Decoder(RestRequest).decode
_decode_received = msgspec.msgpack.Decoder(Received).decode
_decode_arriving = msgspec.msgpack.Decoder(Arriving).decode
_decode_http = msgspec.msgpack.Decoder(HttpRequest).decode


def facts_of(origin: Origin) -> Facts:
    """What is known of an instance that arrives."""
    known = {
        "Origin": origin.request_origin,
        "RemoteIP": origin.remote_ip,
        "RemoteAET": origin.remote_aet,
        "CalledAET": origin.called_aet,
        "HttpUsername": origin.user,
    }
    metadata = {name: text for name, text in known.items() if text is not None}
    return Facts(origin.request_origin, origin.remote_aet or "", metadata)


def _traced(error: BaseException) -> str:
    """The traceback without the frames of the server, where others are left."""
    found = traceback.TracebackException.from_exception(error)
    others = [frame for frame in found.stack if not frame.filename.startswith(SERVER)]
    if others:
        found.stack = traceback.StackSummary.from_list(others)
    return "".join(found.format()).rstrip()
