"""Opens the LMDB environment of the index: databases, schema version, migrations.

Key layout (numbers are big-endian, so that LMDB's byte order is the numeric one):

    resource    id:8                                   -> Resource
    public      level:1 sha1:20                        -> id:8
    child       parent id:8                            => sha1:20 ...    (duplicates, sorted)
    value       a term: see `terms.py`                 => sha1:20 ...    (duplicates, sorted)
    image       id:8                                   -> frame map (opaque)
    change      sequence:8                             -> Change
    change_of   id:8                                   => sequence:8 ... (duplicates, sorted)
    export      sequence:8                             -> Export
    unstable    second:8 rank:1 id:8                   -> nothing
    recycling   sequence:8                             -> patient id:8
    doomed      uuid                                   -> nothing
    signature   number:4                               -> text
    global      name                                   -> value
"""

import errno
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import lmdb

from orthanc_fast._ext.redo import RecordedTransaction
from orthanc_fast.errors import FullStorage, IncompatibleDatabase, StorageFault
from orthanc_fast.index.lmdb.columns import Columns
from orthanc_fast.index.lmdb.records import SCHEMA_VERSION

DATABASES = 13

# A read transaction needs a slot per thread; every worker has a handful of threads.
MAX_READERS = 1024
VERSION_KEY = b"schema"

# What changes the index: LMDB's own, or one that notes the changes for the journal.
WriteTransaction = lmdb.Transaction | RecordedTransaction

# Number n turns version n into n + 1.
Migration = Callable[["Environment", lmdb.Transaction], None]
Migrations = Mapping[int, Migration]

# Of an old schema; a migration may have one open.
OBSOLETE = 1


class Environment:
    """One process's handle of the index folder and its databases (`self.resource`,
    `self.public`...)."""

    def __init__(
        self,
        folder: Path,
        map_size: int,
        sync: bool = True,
        migrations: Migrations = MappingProxyType({}),
        before_writing: Callable[["Environment"], None] = lambda env: None,
    ) -> None:
        """Opens or creates the index. Without `sync` LMDB does not wait for the disk.

        `pin` keeps the snapshot that was found; whoever opens it ends it. `before_writing` is
        called when that is all that exists. Raises StorageFault if the folder cannot be used,
        IncompatibleDatabase for another schema.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.columns = Columns()
        self.lmdb = _open(folder, map_size, sync)
        try:
            self._open_databases(migrations, before_writing)
        except BaseException:
            self.lmdb.close()
            raise

    def _open_databases(
        self, migrations: Migrations, before_writing: Callable[["Environment"], None]
    ) -> None:
        self.page_size: int = self.lmdb.stat()["psize"]
        self.pin = self.lmdb.begin()
        before_writing(self)
        self.resource = self.lmdb.open_db(b"resource")
        self.public = self.lmdb.open_db(b"public")
        self.image = self.lmdb.open_db(b"image")
        self.change = self.lmdb.open_db(b"change")
        self.export = self.lmdb.open_db(b"export")
        self.unstable = self.lmdb.open_db(b"unstable")
        self.recycling = self.lmdb.open_db(b"recycling")
        self.doomed = self.lmdb.open_db(b"doomed")
        self.child = self.lmdb.open_db(b"child", dupsort=True, dupfixed=True)
        self.change_of = self.lmdb.open_db(b"change_of", dupsort=True, dupfixed=True)
        self.value = self.lmdb.open_db(b"value", dupsort=True, dupfixed=True)
        self.signature = self.lmdb.open_db(b"signature")
        self.globals = self.lmdb.open_db(b"global")
        self.databases = self._in_order()
        self.numbers = {database: number for number, database in enumerate(self.databases)}
        self._check_version(migrations)

    def _in_order(self) -> list[lmdb._Database]:
        """All databases; their order is part of what the journal means, so new ones go to the
        end."""
        return [
            self.resource,
            self.public,
            self.image,
            self.change,
            self.export,
            self.unstable,
            self.recycling,
            self.doomed,
            self.child,
            self.change_of,
            self.value,
            self.signature,
            self.globals,
        ]

    def _check_version(self, migrations: Migrations) -> None:
        with self.lmdb.begin() as txn:
            stored = txn.get(VERSION_KEY, db=self.globals)
        if stored is not None and int(stored) == SCHEMA_VERSION:
            return
        with self.lmdb.begin(write=True) as txn:
            stored = txn.get(VERSION_KEY, db=self.globals)
            version = SCHEMA_VERSION if stored is None else int(stored)
            if version > SCHEMA_VERSION:
                raise IncompatibleDatabase(
                    f"the index has version {version}, this program reads version "
                    f"{SCHEMA_VERSION}: start the newer program that wrote it",
                    private=self.folder,
                )
            while version < SCHEMA_VERSION:
                if version not in migrations:
                    raise IncompatibleDatabase(
                        f"the index has version {version}, this program reads version "
                        f"{SCHEMA_VERSION} and has no migration from it",
                        private=self.folder,
                    )
                migrations[version](self, txn)
                version += 1
            txn.put(VERSION_KEY, str(SCHEMA_VERSION).encode(), db=self.globals)

    def clear_stale_readers(self) -> int:
        """Frees the reader slots of processes that died; returns how many."""
        return self.lmdb.reader_check()

    def close(self) -> None:
        self.lmdb.close()


def _open(folder: Path, map_size: int, sync: bool) -> lmdb.Environment:
    try:
        return lmdb.open(
            os.fspath(folder),
            map_size=map_size,
            max_dbs=DATABASES + OBSOLETE,
            max_readers=MAX_READERS,
            sync=sync,
            metasync=sync,
            mode=0o640,
            readahead=False,  # lookups are random; read-ahead would evict what is hot
            # LMDB itself zeroes pages it reuses; without it old heap bytes could reach the disk.
            meminit=True,
        )
    except (lmdb.VersionMismatchError, lmdb.InvalidError) as error:
        raise IncompatibleDatabase(
            "the folder does not hold an index of this server", private=f"{folder}: {error}"
        ) from error
    except (lmdb.Error, OSError) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise FullStorage("no space left for the index", private=folder) from error
        raise StorageFault("cannot open the index", private=f"{folder}: {error}") from error
