"""Logging: Orthanc's lines and levels, for whatever library logs."""

import json
import os
import re
import subprocess
import sys
import textwrap
from datetime import datetime
from pathlib import Path

import pytest

LINE = re.compile(r"([EWIT])\d{4} \d\d:\d\d:\d\d\.\d{6} +(\S+) (\w+):/ (.*)")


def logged(program: str, *arguments: str) -> list[tuple[str, ...]]:
    """The lines of a process of its own: (letter, process, category, text)."""
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", textwrap.dedent(program), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == ""
    matches = [LINE.fullmatch(line) for line in done.stderr.splitlines()]
    assert all(matches), done.stderr
    return [match.groups() for match in matches if match is not None]


def test_lines() -> None:
    found = logged("""
        from orthanc_fast.log import Category, Verbosity, logger
        logger.install("http-0")
        logger.error(Category.HTTP, "one\\ntwo 100%")
        logger.warning(Category.GENERIC, "")
        logger.info(Category.HTTP, "not shown")
        logger.set_level(Verbosity.VERBOSE, Category.HTTP)
        logger.info(Category.HTTP, "shown")
        logger.info(Category.DICOM, "not shown")
        logger.trace(Category.HTTP, "not shown")
        logger.set_level(Verbosity.TRACE)
        logger.trace(Category.DICOM, "shown")
    """)
    assert found == [
        ("E", "http-0", "http", "one"),
        ("E", "http-0", "http", "two 100%"),
        ("W", "http-0", "generic", ""),
        ("I", "http-0", "http", "shown"),
        ("T", "http-0", "dicom", "shown"),
    ]


LIBRARIES = """
    import asyncio, logging, warnings
    from orthanc_fast.log import Category, Verbosity, logger
    logger.install()
    import aiohttp.client, pynetdicom, pydicom.config, urllib3
    def say():
        for name in ("pynetdicom.acse", "pydicom", "aiohttp.client", "urllib3.util", "asyncio"):
            each = logging.getLogger(name)
            each.debug("%s debug", name)
            each.info("%s info", name)
            each.warning("%s warning", name)
            each.critical("%s critical", name)
    say()
    logger.set_level(Verbosity.VERBOSE, Category.DICOM)
    assert logging.getLogger("pynetdicom.acse").isEnabledFor(logging.INFO)
    assert not logging.getLogger("pynetdicom.acse").isEnabledFor(logging.DEBUG)
    assert not logging.getLogger("aiohttp").isEnabledFor(logging.INFO)
    say()
    logger.set_level(Verbosity.TRACE)
    say()
    try:
        1 / 0
    except ZeroDivisionError:
        logging.getLogger("aiohttp.server").exception("failed")
    warnings.warn("old")
"""
CATEGORIES = {
    "pynetdicom.acse": "dicom",
    "pydicom": "dicom",
    "aiohttp.client": "http",
    "urllib3.util": "generic",
    "asyncio": "generic",
}


def test_libraries_follow_their_category() -> None:
    """Also asyncio, whose logger is older than ours."""
    found = logged(LIBRARIES)
    always = ("W", "E")
    shown: list[tuple[str, str, str]] = []
    for more in (
        {},
        {"dicom": ("I",)},
        {"dicom": ("T", "I"), "http": ("T", "I"), "generic": ("T", "I")},
    ):
        for name, category in CATEGORIES.items():
            for letter in (*more.get(category, ()), *always):
                word = {"T": "debug", "I": "info", "W": "warning", "E": "critical"}[letter]
                shown.append((letter, category, f"{name} {word}"))
    lines = [(letter, category, text) for letter, _, category, text in found]
    assert lines[: len(shown)] == shown
    rest = lines[len(shown) :]
    assert rest[0] == ("E", "http", "failed")
    assert ("E", "http", "ZeroDivisionError: division by zero") in rest
    (warned,) = (line for line in rest if "UserWarning: old" in line[2])
    assert warned[:2] == ("W", "generic")


def test_levels_are_shared(tmp_path: Path) -> None:
    """What one process sets, others have at once; in the file the lines of both come in order."""
    file = tmp_path / "log"
    logged(
        """
        import subprocess, sys
        from pathlib import Path
        from orthanc_fast.log import Category, Verbosity, logger
        logger.install()
        logger.set_level(Verbosity.VERBOSE, Category.JOBS)
        shared = logger.share()
        logger.open_file(Path(sys.argv[1]))
        child = '''if True:
            import sys
            from pathlib import Path
            from orthanc_fast.log import Category, Verbosity, logger
            logger.install("child")
            logger.join(int(sys.argv[2]))
            logger.open_file(Path(sys.argv[1]))
            logger.info(Category.JOBS, "from the child")
            logger.set_level(Verbosity.TRACE, Category.LUA)
        '''
        command = [sys.executable, "-c", child, sys.argv[1], str(shared)]
        subprocess.run(command, check=True, pass_fds=[shared])
        assert logger.level(Category.LUA) == Verbosity.TRACE
        assert logger.level(Category.JOBS) == Verbosity.VERBOSE
        assert logger.level() == Verbosity.TRACE
        assert logger.level(Category.HTTP) == Verbosity.DEFAULT
        logger.trace(Category.LUA, "from the parent")
        """,
        str(file),
    )
    matches = [LINE.fullmatch(line) for line in file.read_text().splitlines()]
    assert [match.groups() for match in matches if match] == [
        ("I", "child", "jobs", "from the child"),
        ("T", "main", "lua", "from the parent"),
    ]


def test_the_logging_of_others_is_left_alone() -> None:
    """A program that only imports the package keeps its own logging."""
    done = subprocess.run(
        [sys.executable, "-c", OTHERS], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == "INFO:theirs:hello\nWARNING:orthanc_fast.http:from us\n"


OTHERS = """
import logging
from orthanc_fast.log import Category, logger
logging.basicConfig(level=logging.INFO)
logging.getLogger("theirs").info("hello")
logger.info(Category.HTTP, "not shown")
logger.warning(Category.HTTP, "from us")
assert type(logging.getLogger("theirs")) is logging.Logger
"""


@pytest.mark.parametrize("letter", "WE")
def test_a_level_never_hides_warnings(letter: str) -> None:
    found = logged("""
        import logging
        from orthanc_fast.log import logger
        logger.install()
        quiet = logging.getLogger("pynetdicom")
        quiet.setLevel(logging.CRITICAL)
        quiet.warning("W")
        quiet.error("E")
    """)
    assert letter in [text for _, _, _, text in found]


def lines_of(program: str, **environment: str) -> list[str]:
    """What a process of its own writes on standard error."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, **environment},
    )
    return done.stderr.splitlines()


SAYS = """
    import logging
    from orthanc_fast.log import Category, Verbosity, logger
    logger.install("http-0")
    logger.set_form({form!r})
    logger.set_level(Verbosity.TRACE)
    logger.error(Category.HTTP, 'one\\ntwo "quoted"')
    logger.warning(Category.DICOM, "w")
    logger.info(Category.JOBS, "i")
    logger.trace(Category.GENERIC, "t")
"""


def test_lines_for_the_journal() -> None:
    assert lines_of(SAYS.format(form="Journal")) == [
        "<3>http-0 http: one",
        '<3>http-0 http: two "quoted"',
        "<4>http-0 dicom: w",
        "<6>http-0 jobs: i",
        "<7>http-0 generic: t",
    ]


def test_lines_of_json() -> None:
    found = [json.loads(line) for line in lines_of(SAYS.format(form="Json"))]
    assert [(each["level"], each["category"], each["message"]) for each in found] == [
        ("error", "http", 'one\ntwo "quoted"'),
        ("warning", "dicom", "w"),
        ("info", "jobs", "i"),
        ("trace", "generic", "t"),
    ]
    assert {each["process"] for each in found} == {"http-0"}
    assert all(datetime.fromisoformat(each["time"]).tzinfo for each in found)


def test_the_journal_is_known_by_what_systemd_says() -> None:
    """Standard error as the stream that it has named."""
    program = """
        import os
        found = os.fstat(2)
        os.environ["JOURNAL_STREAM"] = f"{found.st_dev}:{found.st_ino}"
    """
    (line,) = lines_of(
        textwrap.dedent(program)
        + textwrap.dedent("""
        from orthanc_fast.log import Category, logger
        logger.install()
        logger.set_form("Auto")
        logger.error(Category.HTTP, "x")
        """)
    )
    assert line == "<3>main http: x"
    other = SAYS.format(form="Auto")
    assert all(LINE.fullmatch(each) for each in lines_of(other, JOURNAL_STREAM="1:2"))


def test_a_file_that_was_moved_away_is_made_anew(tmp_path: Path) -> None:
    """As logrotate does it, without a signal."""
    lines_of(f"""
        import os
        from pathlib import Path
        from orthanc_fast.log import Category, logger
        logger.install()
        path = Path({str(tmp_path / "log")!r})
        logger.open_file(path)
        logger.error(Category.HTTP, "first")
        os.rename(path, {str(tmp_path / "log.1")!r})
        logger.error(Category.HTTP, "second")
    """)
    assert (tmp_path / "log.1").read_text().endswith("first\n")
    assert (tmp_path / "log").read_text().endswith("second\n")
