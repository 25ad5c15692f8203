"""One Lua context: a state of Lua with its globals, for one thread at a time.

Whoever wants to run something in it does so in its own thread, which costs no switch of threads
where nobody else is there, and in turn where somebody is. While a script waits for a REST or an
HTTP call, its thread runs what others wait to run: so a call that leads to another callback of the
same context, be it in this process or through another one, does not wait for itself.
"""

import ctypes
import os
import sysconfig
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from lupa import lua53

from orthanc_fast.log import Category, logger
from orthanc_fast.scripting.lua import pipes
from orthanc_fast.scripting.lua.values import lua_value, raw, text
from orthanc_fast.services.scripts.faults import ScriptFault

T = TypeVar("T")

CANNOT_EXECUTE: Final = 2031
INTERNAL: Final = -1
UNHANDLED: Final = "An unhandled exception was generated inside the HTTP server"
_DEEPEST: Final = 12  # calls of the context within calls: each takes some of the thread's stack

_PRELUDE: Final = Path(__file__).with_name("prelude.lua")
# Where this system has libraries: compiled packages of Lua lie below it.
_LIBRARIES: Final = f"/usr/lib/{sysconfig.get_config_var('MULTIARCH') or ''}".rstrip("/")


class Fault(Exception):
    """What a function of the server raises as an error in Lua."""

    def __init__(self, details: str, code: int = CANNOT_EXECUTE) -> None:
        super().__init__(details)
        self.details = details
        self.code = code


# What scripts can call: gets the number of arguments, and the arguments; raises Fault.
Function = Callable[..., Any]


# A block that may take so many seconds, 0: any time; the text says what it does.
Limited = Callable[[float, str], AbstractContextManager[None]]


class Context:
    """`functions` are those of the server by name; `memory` is in bytes, 0: no limit."""

    def __init__(
        self, name: str, functions: dict[str, Function], limited: Limited, memory: int = 0
    ) -> None:
        self._limited = limited
        self._functions = functions
        self._memory = memory
        self._state = threading.Condition()  # guards the three below; its owner may wait for it
        self._owner: int | None = None  # the thread that uses the context
        self._turns: deque[_Turn[Any]] = deque()  # those that want it next
        self._is_lent = False  # the owner waits, and runs what others bring
        self._depth = 0
        self._printed: list[list[str] | None] = []
        self.run(self._open)

    # From any thread

    def run(self, work: Callable[[], T]) -> T:
        """What `work` gives in the context."""
        me = threading.get_ident()
        if self._owner == me:
            return work()
        turn: _Turn[T] | None = None
        with self._state:
            if self._owner is None:
                self._owner = me
            else:
                turn = _Turn(work, me)
                self._turns.append(turn)
                if self._is_lent:
                    self._state.notify()
        if turn is not None and turn.wait():
            return turn.outcome()
        try:
            return work()
        finally:
            self._pass_on()

    def _pass_on(self) -> None:
        """The context is for who has waited longest."""
        with self._state:
            if not self._turns:
                self._owner = None
                return
            turn = self._turns.popleft()
            self._owner = turn.thread
        turn.begin()

    def load(self, path: Path) -> None:
        """Runs a file. Raises ScriptFault, or OSError."""
        source = path.read_bytes()
        self.run(lambda: self._run(source, b"@" + os.fsencode(path.name), None))

    def execute(self, seconds: float, source: bytes) -> str:
        """Runs a source for at most so many seconds, and gives what it has printed. Raises
        ScriptFault."""
        printed: list[str] = []

        def work() -> None:
            with self._limited(seconds, "a script of /tools/execute-script"):
                self._run(source, b"line", printed)

        self.run(work)
        return "".join(f"{line}\n" for line in printed)

    def has(self, name: str) -> bool:
        """Whether there is a function of this name."""
        return bool(self.run(lambda: self._has(raw(name))))

    def takes(self, name: str) -> int | None:
        """How many arguments the function of this name can see, None where there is none."""
        found: int | None = self.run(lambda: self._takes(raw(name)))
        return found

    def which(self, names: Collection[str]) -> set[str]:
        """Those for which there is a function."""
        return self.run(lambda: {name for name in names if self._has(raw(name))})

    def call(self, seconds: float, name: str, *arguments: Any) -> Any:
        """Calls a function with values of JSON for at most so many seconds, and gives its result:
        None, a truth value, a number, bytes, or a table of Lua. Raises ScriptFault."""
        return self.run(lambda: self._called(self._call, seconds, name, arguments))

    def route(self, seconds: float, name: str, *arguments: Any) -> bytes:
        """As `call`, and gives the operations that the function has noted, as JSON."""
        return bytes(self.run(lambda: self._called(self._route, seconds, name, arguments)))

    def _called(
        self, way: Callable[..., Any], seconds: float, name: str, arguments: Sequence[Any]
    ) -> Any:
        values = [lua_value(each, self._lua.table_from) for each in arguments]
        with self._collecting(None), self._limited(seconds, name):
            return self._checked(way(raw(name), *values))

    def json(self, value: Any) -> bytes:
        """A result of `call` as JSON, texts kept as they are. Raises ScriptFault."""
        worked, found = self.run(lambda: self._json(value))
        if not worked:
            raise ScriptFault(text(found), code=CANNOT_EXECUTE)
        return bytes(found)

    # For functions of the server, in the context

    def outside(self, begun: "Future[T]") -> T:
        """Waits for what happens elsewhere; meanwhile others may use the context."""
        begun.add_done_callback(self._wake)
        while (turn := self._lend(begun)) is not None:
            self._depth += 1
            try:
                turn.run()
            finally:
                self._depth -= 1
        return begun.result()

    def _wake(self, _: "Future[Any]") -> None:
        with self._state:
            self._state.notify()

    def _lend(self, begun: "Future[Any]") -> "_Turn[Any] | None":
        """Who is next, None once that is done which is waited for."""
        with self._state:
            self._is_lent = True
            try:
                while not begun.done():
                    if self._turns and self._depth < _DEEPEST:
                        return self._turns.popleft()
                    self._state.wait()
            finally:
                self._is_lent = False
        return None

    def print(self, line: bytes) -> None:
        """What a script prints: to the log, and to who has it executed."""
        shown = line.decode("utf-8", "replace")
        logger.warning(Category.LUA, f"Lua says: {shown}")
        for printed in self._printed:
            if printed is not None:
                printed.append(shown)

    def table(self, value: Any) -> Any:
        """A value of JSON in Lua."""
        return lua_value(value, self._lua.table_from)

    # In the context

    def _open(self) -> None:
        # Compiled packages find the functions of Lua among the symbols of the process.
        ctypes.CDLL(lua53.__file__, ctypes.RTLD_GLOBAL)
        self._lua = lua53.LuaRuntime(
            encoding=None,
            unpack_returned_tuples=True,
            register_eval=False,
            register_builtins=False,
            max_memory=self._memory or None,
        )
        self._lua.globals()[b"python"] = None
        server = self._lua.table_from(
            {
                b"names": self._lua.table_from(
                    {number: raw(name) for number, name in enumerate(self._functions, 1)}
                ),
                b"print": self.print,
                b"log": lambda line: logger.error(Category.LUA, text(line)),
                b"compiled": raw(_LIBRARIES),
                b"programs": self._lua.table_from(pipes.by_name()),
                **{raw(name): self._guarded(each) for name, each in self._functions.items()},
            }
        )
        own = self._lua.execute(_PRELUDE.read_bytes(), server, name=b"=orthanc")
        self._call, self._route, self._source = own[b"call"], own[b"route"], own[b"run"]
        self._has, self._takes, self._json = own[b"has"], own[b"takes"], own[b"json"]

    def _guarded(self, function: Function) -> Function:
        """Gives whether it has worked, and its value or what was wrong."""

        def call(count: int, *arguments: Any) -> tuple[bool, Any]:
            try:
                return True, function(*arguments[:count])
            except Fault as fault:
                found = {b"details": raw(fault.details), b"code": fault.code}
                return False, self._lua.table_from(found)

        return call

    def _run(self, source: bytes, name: bytes, printed: list[str] | None) -> None:
        with self._collecting(printed):
            self._checked(self._source(source, name))

    def _checked(self, outcome: Any) -> Any:
        """Raises ScriptFault."""
        if outcome is True:
            return None
        if outcome[0]:
            return outcome[1]
        fault = outcome[1]
        code, details = fault[b"code"], fault[b"details"]
        if details is None:
            raise ScriptFault(UNHANDLED, code=INTERNAL)
        raise ScriptFault(text(details), code=CANNOT_EXECUTE if code is None else code)

    @contextmanager
    def _collecting(self, printed: list[str] | None) -> Iterator[None]:
        self._printed.append(printed)
        try:
            yield
        finally:
            self._printed.pop()


class _Turn(Generic[T]):
    """Something that a thread wants to run in a context that another one uses."""

    def __init__(self, work: Callable[[], T], thread: int) -> None:
        self.thread = thread
        self._work = work
        self._is_done = False
        self._value: T
        self._error: BaseException | None = None
        self._told = threading.Lock()
        self._told.acquire()

    def wait(self) -> bool:
        """True once it has been run, False where its thread is to run it now."""
        self._told.acquire()
        return self._is_done

    def outcome(self) -> T:
        """What it has given. Raises what it has raised."""
        if self._error is not None:
            raise self._error
        return self._value

    def run(self) -> None:
        """Runs it in another thread, whose context it is for now."""
        try:
            self._value = self._work()
        except BaseException as error:
            self._error = error
        self._is_done = True
        self._told.release()

    def begin(self) -> None:
        """The context belongs to its thread."""
        self._told.release()
