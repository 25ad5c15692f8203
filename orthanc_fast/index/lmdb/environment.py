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
from orthanc_fast.log import Category, logger

DATABASES = 13

# A read transaction needs a slot per thread; every worker has a handful of threads.
MAX_READERS = 1024
VERSION_KEY = b"schema"

# What changes the index: LMDB's own, or one that notes the changes for the journal.
WriteTransaction = lmdb.Transaction | RecordedTransaction

# Number n turns version n into n + 1, in parts: each gets the place where the last one ended (b""
# at first) and returns its own; None: all is done.
Migration = Callable[["Environment", lmdb.Transaction, bytes], bytes | None]
Migrations = Mapping[int, Migration]

# While version n is being migrated the index says n + UNFINISHED, which every program but one that
# can go on refuses as too new.
UNFINISHED = 1000
PLACE_KEY = b"migration"

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
        """Opens or creates the index. Without `sync` LMDB does not wait for the disk. One of an
        older schema is only opened: see `migrate`.

        `pin` keeps the snapshot that was found; whoever opens it ends it. `before_writing` is
        called when that is all that exists. Raises StorageFault if the folder cannot be used,
        IncompatibleDatabase, with nothing written, for a schema from which `migrations` do not
        lead here.
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
        self._migrations = migrations
        self._refuse_version()
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
        if self._stored_version() is None:
            with self.lmdb.begin(write=True) as txn:
                self._put_version(txn, SCHEMA_VERSION)

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

    def _stored_version(self) -> int | None:
        """None for an index that has just been made."""
        try:
            database = self.lmdb.open_db(b"global", create=False)
        except lmdb.NotFoundError:
            return None
        with self.lmdb.begin() as txn:
            stored = txn.get(VERSION_KEY, db=database)
        return None if stored is None else int(stored)

    def _put_version(self, txn: lmdb.Transaction, version: int) -> None:
        txn.put(VERSION_KEY, str(version).encode(), db=self.globals)

    def _refuse_version(self) -> None:
        stored = self._stored_version()
        if stored is None:
            return
        version = stored % UNFINISHED if stored // UNFINISHED == 1 else stored
        if version > SCHEMA_VERSION:
            raise IncompatibleDatabase(
                f"the index has version {version}, this program reads version "
                f"{SCHEMA_VERSION}: start the newer program that wrote it",
                private=self.folder,
            )
        for step in range(version, SCHEMA_VERSION):
            if step not in self._migrations:
                raise IncompatibleDatabase(
                    f"the index has version {version}, this program reads version "
                    f"{SCHEMA_VERSION} and has no migration from it",
                    private=self.folder,
                )

    def migrate(self, is_alone: bool, keep: Callable[[], None] = lambda: None) -> None:
        """Brings an index of an older schema to today's, part by part, or goes on with that. What
        a journal holds must have been repeated: it was written for the older one. `keep` makes
        durable what was written so far. Raises IncompatibleDatabase where another program uses the
        index, which must be an older one."""
        stored = self._stored_version()
        if stored == SCHEMA_VERSION or stored is None:
            return
        if not is_alone:
            raise IncompatibleDatabase(
                f"another program uses the index as version {stored % UNFINISHED}, this one reads "
                f"version {SCHEMA_VERSION}: end it first",
                private=self.folder,
            )
        for version in range(stored % UNFINISHED, SCHEMA_VERSION):
            logger.warning(
                Category.GENERIC,
                f"The index is brought from version {version} to {version + 1}: an older program "
                "cannot open it any more",
            )
            while self._migrate_part(version):
                keep()
            keep()

    def _migrate_part(self, version: int) -> bool:
        """Whether there is more to do."""
        with self.lmdb.begin(write=True) as txn:
            place = txn.get(PLACE_KEY, db=self.globals) or b""
            reached = self._migrations[version](self, txn, place)
            if reached is None:
                txn.delete(PLACE_KEY, db=self.globals)
                self._put_version(txn, version + 1)
                return False
            txn.put(PLACE_KEY, reached, db=self.globals)
            self._put_version(txn, version + UNFINISHED)
            return True

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
