"""Other servers by their symbolic names, as they are now: the same in all processes. Source:
reference chapter 4, sections 5.2 and 8.2.

They start as an option of the configuration. What REST changes holds in all processes until the
server starts again; where another option says so it is kept in the index for good, and the first
one is ignored.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.errors import BadFileFormat, InexistentItem, OrthancError
from orthanc_fast.index.contract import Transaction, Write
from orthanc_fast.model import Caller
from orthanc_fast.runtime.contract import Runtime
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.script_notes import NoteKind, note
from orthanc_fast.services.store.session import SessionOption
from orthanc_fast.services.store.writes import Writes

S = TypeVar("S")

_NAME = re.compile(r"[A-Za-z0-9_-]+")


def check_name(name: str) -> None:
    """Raises BadFileFormat for what is no symbolic name."""
    if not _NAME.fullmatch(name):
        raise BadFileFormat(
            "Only alphanumeric, dash characters and underscores are allowed in the names of "
            f"modalities/peers, but found: {name}"
        )


class ServerRegistry(ABC, Generic[S]):
    """The servers of one kind, which a subclass describes: `noun` is its word in messages, `plural`
    the name under which they are kept, `option` lists them, `table` is the type of them all."""

    noun: ClassVar[str]
    change_kind: ClassVar[NoteKind | None] = None  # what scripts hear of a change
    plural: ClassVar[str]
    option: ClassVar[str]
    table: ClassVar[Any]

    def __init__(self, settings: Settings, reads: Reads, writes: Writes, runtime: Runtime) -> None:
        """Raises what `parsed` raises for what the option holds."""
        self._read = reads
        self._write = writes
        self._is_persistent = self.is_persistent(settings)
        entries = {} if self._is_persistent else self.entries(settings)
        configured = {name: self.parsed(name, entries[name]) for name in entries}
        self._runtime = runtime
        self._session: SessionOption[dict[str, S]] = SessionOption(
            runtime, self.plural, self.table, configured
        )
        self._decode: Callable[[bytes], dict[str, S]] = msgspec.json.Decoder(self.table).decode

    def is_persistent(self, settings: Settings) -> bool:
        """Whether they are kept in the index, and the option is ignored."""
        return bool(settings.raw.get(f"{self.option}InDatabase"))

    def entries(self, settings: Settings) -> Mapping[str, Any]:
        """What the option holds."""
        return settings.raw.get(self.option) or {}

    @abstractmethod
    def parsed(self, name: str, value: Any) -> S:
        """One entry of the option, or of a request. Raises OrthancError with what is wrong."""

    def unknown(self, name: str) -> OrthancError:
        """There is no such server, in Orthanc's words."""
        return InexistentItem(f"No {self.noun} with symbolic name: {name}")

    def not_removed(self, name: str) -> OrthancError:
        """The same to whoever would remove it."""
        return self.unknown(name)

    def all(self, caller: Caller) -> Mapping[str, S]:
        """Every server, in the order of the names."""
        found = (
            self._read(caller, lambda view: self._stored(view.property(self.plural)))
            if self._is_persistent
            else self._session.get()
        )
        return dict(sorted(found.items()))

    def get(self, caller: Caller, name: str) -> S:
        """Raises what `unknown` gives."""
        found = self.all(caller).get(name)
        if found is None:
            raise self.unknown(name)
        return found

    async def put(self, caller: Caller, name: str, server: S) -> None:
        """Adds or replaces a server."""
        await self._change(caller, lambda known: {**known, name: server})

    async def delete(self, caller: Caller, name: str) -> None:
        """Removes a server. Raises what `not_removed` gives."""

        def without(known: dict[str, S]) -> dict[str, S]:
            if name not in known:
                raise self.not_removed(name)
            return {each: server for each, server in known.items() if each != name}

        await self._change(caller, without)

    async def _change(
        self, caller: Caller, changed: Callable[[dict[str, S]], dict[str, S]]
    ) -> None:
        if self._is_persistent:
            await self._write(caller, _Change(self.plural, self._stored, changed))
        else:
            self._session.change(caller, changed)
        kind = self.change_kind
        if kind is not None:
            self._runtime.write(lambda transaction: note(transaction, kind))

    def _stored(self, value: bytes | None) -> dict[str, S]:
        return {} if value is None else self._decode(value)


class _Change(Write[None], Generic[S]):
    def __init__(
        self,
        name: str,
        stored: Callable[[bytes | None], dict[str, S]],
        changed: Callable[[dict[str, S]], dict[str, S]],
    ) -> None:
        self._name = name
        self._stored = stored
        self._changed = changed

    def apply(self, transaction: Transaction) -> None:
        known = self._changed(self._stored(transaction.property(self._name)))
        transaction.set_property(self._name, msgspec.json.encode(known))
