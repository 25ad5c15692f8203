"""Stores of every schema that there was, brought to today's: in parts, killed in between, and never
back."""

import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import lmdb
import pytest
from support.snapshots import reading

from orthanc_fast.errors import IncompatibleDatabase
from orthanc_fast.index.lmdb import environment, index, migrations
from orthanc_fast.index.lmdb.environment import UNFINISHED, Environment
from orthanc_fast.index.lmdb.index import LmdbIndex
from orthanc_fast.index.lmdb.records import SCHEMA_VERSION
from orthanc_fast.index.terms import Kind
from orthanc_fast.model import Level
from orthanc_fast.services.store.opening import INDEX_FOLDER
from orthanc_fast.services.store.terms import terms

FROZEN = Path(__file__).parent / "frozen"
STORES = sorted(path.name.removesuffix(".tar.xz") for path in FROZEN.glob("*.tar.xz"))
MAP = 1 << 28


def thawed(name: str, folder: Path) -> Path:
    """The index of a copy of a frozen store."""
    with tarfile.open(FROZEN / f"{name}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return next(folder.rglob(INDEX_FOLDER))


def version_of(folder: Path) -> int:
    with lmdb.open(str(folder), max_dbs=20) as env, env.begin() as txn:
        stored = txn.get(b"schema", db=env.open_db(b"global", txn=txn, create=False))
    assert stored is not None
    return int(stored)


def found(opened: LmdbIndex) -> list[list[bytes]]:
    """All terms, each with all that is found by it."""
    with reading(opened) as view:
        search = view.search
        keys = [search.between(kind, level, 0, b"", b"\xff") for kind in Kind for level in Level]
        return [[key + search.members([key]) for key in each] for each in keys]


def opened(folder: Path) -> LmdbIndex:
    return LmdbIndex(folder, terms, MAP, journal_size=1 << 22)


# Opens an index, migrating resource by resource, and dies by SIGKILL after so many parts.
DYING = """
import os, signal, sys
from pathlib import Path
from orthanc_fast.index.lmdb import index, migrations
from orthanc_fast.index.lmdb.environment import Environment
from orthanc_fast.services.store.terms import terms

parts, step = int(sys.argv[2]), Environment._migrate_part

def counted(env, version):
    global parts
    if not parts:
        os.kill(os.getpid(), signal.SIGKILL)
    parts -= 1
    return step(env, version)

Environment._migrate_part = counted
index.migrations = lambda terms: migrations.migrations(terms, 1)
index.LmdbIndex(Path(sys.argv[1]), terms, 1 << 28, journal_size=int(sys.argv[3]))
"""


@pytest.mark.parametrize("journal_size", [1 << 22, 0])
def test_killed_in_every_part_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, journal_size: int
) -> None:
    whole = opened(thawed("schema-1", tmp_path / "whole"))
    expected = found(whole)
    whole.close()
    folder = thawed("schema-1", tmp_path / "killed")
    with lmdb.open(str(folder), max_dbs=20) as env, env.begin() as txn:
        resources = txn.stat(env.open_db(b"resource", txn=txn, create=False))["entries"]
    assert resources > 5
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", DYING, folder, "2", str(journal_size)])
        assert done.returncode == -signal.SIGKILL
    parts: list[int] = []
    step = Environment._migrate_part

    def counted(env: Environment, version: int) -> bool:
        parts.append(version)
        return step(env, version)

    monkeypatch.setattr(Environment, "_migrate_part", counted)
    monkeypatch.setattr(index, "migrations", lambda terms: migrations.migrations(terms, 1))
    again = LmdbIndex(folder, terms, MAP, journal_size=journal_size)
    assert found(again) == expected
    again.close()
    # What was done before the kills is not done again; one of its resources is the first of a part.
    assert parts.count(1) == resources - 4
    assert version_of(folder) == SCHEMA_VERSION


def test_an_older_program_refuses_what_is_half_migrated(tmp_path: Path) -> None:
    folder = thawed("schema-1", tmp_path)
    done = subprocess.run([sys.executable, "-c", DYING, folder, "2", "0"])
    assert done.returncode == -signal.SIGKILL
    assert version_of(folder) == 1 + UNFINISHED > SCHEMA_VERSION


@pytest.mark.parametrize("name", STORES)
def test_a_newer_schema_is_refused_and_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = thawed(name, tmp_path)
    opened(folder).close()
    data = (folder / "data.mdb").read_bytes()
    monkeypatch.setattr(environment, "SCHEMA_VERSION", SCHEMA_VERSION - 1)
    with pytest.raises(IncompatibleDatabase, match=f"version {SCHEMA_VERSION}, this program"):
        opened(folder)
    assert (folder / "data.mdb").read_bytes() == data


def next_schema(
    monkeypatch: pytest.MonkeyPatch, work: Callable[[Environment, lmdb.Transaction], None]
) -> None:
    """As if there were a schema after today's."""

    def step(env: Environment, txn: lmdb.Transaction, place: bytes) -> None:
        work(env, txn)

    steps = {**migrations.migrations(terms), SCHEMA_VERSION: step}
    monkeypatch.setattr(environment, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    monkeypatch.setattr(index, "migrations", lambda terms: steps)


def test_the_journal_is_repeated_before_the_schema_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its records were written for the schema of the program that was killed."""
    seen: list[int] = []
    next_schema(monkeypatch, lambda env, txn: seen.append(txn.stat(env.resource)["entries"]))
    newer = opened(thawed("schema-3-killed", tmp_path))
    with reading(newer) as view:
        assert seen == [sum(view.totals().resources)]
    newer.close()


# Has an index open until its input ends.
HOLDING = """
import sys
from pathlib import Path
from orthanc_fast.index.lmdb.index import LmdbIndex
from orthanc_fast.services.store.terms import terms

opened = LmdbIndex(Path(sys.argv[1]), terms, 1 << 28, journal_size=1 << 22)
print("open", flush=True)
sys.stdin.read()
opened.close()
"""


def test_not_while_an_older_program_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = thawed("schema-3", tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as older:
        assert older.stdout is not None and older.stdin is not None
        assert older.stdout.readline() == "open\n"
        next_schema(monkeypatch, lambda env, txn: None)
        with pytest.raises(IncompatibleDatabase, match="another program uses the index"):
            opened(folder)
        older.stdin.close()
        assert older.wait() == 0
    assert version_of(folder) == SCHEMA_VERSION
