"""A Lua context is for one thread at a time: each runs its own work, and who waits lends it."""

import os
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import pytest

from orthanc_fast.scripting.lua.context import Context, Fault

PATIENCE = 60.0  # seconds


@contextmanager
def _unlimited(seconds: float, what: str) -> Iterator[None]:
    yield


def _loaded(folder: Path, source: str, **functions: object) -> Context:
    path = folder / "script.lua"
    path.write_text(source)
    context = Context("test", functions, _unlimited)  # type: ignore[arg-type]
    context.load(path)
    return context


def test_work_is_done_in_the_thread_that_asks(tmp_path: Path) -> None:
    seen: list[int] = []
    context = _loaded(
        tmp_path, "function F() Note() end", Note=lambda: seen.append(threading.get_ident())
    )
    context.call(1.0, "F")
    assert seen == [threading.get_ident()]


def test_many_threads_take_turns(tmp_path: Path) -> None:
    """None is lost, and none comes in between another."""
    source = """
    local count = 0
    function Add() local before = count; Pause(); count = before + 1; return count end
    """
    context = _loaded(tmp_path, source, Pause=lambda: threading.Event().wait(0.0001))
    found: list[float] = []

    def add() -> None:
        found.extend(context.call(1.0, "Add") for _ in range(100))

    threads = [threading.Thread(target=add, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(found) == [*range(1, 801)]
    assert context.call(1.0, "Add") == 801


def test_who_waits_outside_lets_others_in(tmp_path: Path) -> None:
    """Also several levels deep: what the first waits for is made by calls of the same context."""
    context: Context

    def ask(depth: float) -> float:
        begun: Future[float] = Future()

        def nested() -> None:
            try:
                begun.set_result(context.call(1.0, "F", depth - 1))
            except BaseException as error:
                begun.set_exception(error)

        threading.Thread(target=nested, daemon=True).start()
        return context.outside(begun) + 1

    source = "function F(depth) if depth == 0 then return 0 end return Ask(depth) end"
    context = _loaded(tmp_path, source, Ask=ask)
    assert context.call(1.0, "F", 8) == 8


def test_what_is_raised_reaches_who_has_asked_only(tmp_path: Path) -> None:
    context: Context
    told: list[str] = []
    begun: Future[None] = Future()

    def wait() -> None:
        def nested() -> None:
            try:
                context.call(1.0, "Fail")
            except Exception as error:
                told.append(str(error))
            begun.set_result(None)

        threading.Thread(target=nested, daemon=True).start()
        context.outside(begun)

    def fail() -> None:
        raise Fault("wrong on purpose")

    source = "function Wait() Wait_() return 'well' end function Fail() Fail_() end"
    context = _loaded(tmp_path, source, Wait_=wait, Fail_=fail)
    assert context.call(1.0, "Wait") == b"well"
    assert len(told) == 1 and "wrong on purpose" in told[0]
    with pytest.raises(Exception, match="wrong on purpose"):
        context.call(1.0, "Fail")


def test_what_is_done_already_is_not_waited_for(tmp_path: Path) -> None:
    done: Future[int] = Future()
    done.set_result(7)
    context: Context
    context = _loaded(tmp_path, "function F() return Ask() end", Ask=lambda: context.outside(done))
    assert context.call(1.0, "F") == 7


def test_compiled_packages(tmp_path: Path) -> None:
    """They find the functions of Lua in the process."""
    source = """
    extern const char *lua_pushstring(void *lua, const char *text);
    int luaopen_tiny(void *lua) { lua_pushstring(lua, "tiny is here"); return 1; }
    """
    command = ["cc", "-shared", "-fPIC", "-x", "c", "-o", str(tmp_path / "tiny.so"), "-"]
    subprocess.run(command, input=source, text=True, check=True)
    script = f"package.cpath = '{tmp_path}/?.so' function Tiny() return require('tiny') end"
    assert _loaded(tmp_path, script).call(60.0, "Tiny") == b"tiny is here"


def test_programs_leave_nothing_open(tmp_path: Path) -> None:
    """Neither those that are closed nor those that are collected."""
    script = """
    function Closed() local p = io.popen('true') p:close() end
    function Collected() io.popen('true') collectgarbage() end
    """
    context = _loaded(tmp_path, script)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        context.call(60.0, "Closed")
        context.call(60.0, "Collected")
    assert len(os.listdir("/proc/self/fd")) <= before + 1  # the last one may be there yet


def test_how_many_arguments_a_function_can_see(tmp_path: Path) -> None:
    source = """
    function None() end
    function One(id) end
    function Three(id, tags, metadata) end
    function Any(...) end
    function OneAndMore(id, ...) end
    Builtin = print
    Number = 3
    debug = nil
    """
    context = _loaded(tmp_path, source)
    counts = [context.takes(name) for name in ("None", "One", "Three")]
    assert counts == [0, 1, 3]
    for name in ("Any", "OneAndMore", "Builtin"):
        assert (context.takes(name) or 0) > 1000
    assert context.takes("Number") is None
    assert context.takes("Missing") is None
