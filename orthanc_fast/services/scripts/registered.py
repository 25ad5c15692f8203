"""Which callbacks the scripts have, as every process sees it.

A script process publishes its registration in the runtime state once its scripts are loaded, and
again when they change it. It stays there while the process is replaced: who asks meanwhile waits
for the next one. Looking whether somebody is to be asked costs a comparison of two numbers.
"""

from typing import Final, NamedTuple

import msgspec

from orthanc_fast.dicom.dictionary import Definition, Dictionary
from orthanc_fast.runtime.contract import Runtime
from orthanc_fast.services.scripts.options import LANGUAGES, Language
from orthanc_fast.services.scripts.patterns import Pattern, compiled, literal_beginning

TOPIC: Final = "scripts"


class Described(msgspec.Struct, frozen=True):
    """What `/plugins/{language}` says of a script."""

    description: str
    extends_explorer: bool = False
    root_uri: str | None = None


class Registration(msgspec.Struct, frozen=True):
    """What the scripts of one language have registered: callbacks by name (`Callback`), and the
    patterns of their REST routes in the order in which they are tried, and the tags that they have
    made known."""

    callbacks: frozenset[str] = frozenset()
    routes: tuple[str, ...] = ()
    described: Described | None = None
    tags: tuple[Definition, ...] = ()


_decode = msgspec.msgpack.Decoder(Registration).decode


class Route(NamedTuple):
    """A route of a script: whose it is, its number there, what a path has to begin with at least,
    and what all of it has to match."""

    language: Language
    number: int
    beginning: str
    pattern: Pattern


class Registered:
    """The registrations of all languages, read again when they have changed. The dictionary learns
    their tags."""

    def __init__(self, runtime: Runtime, dictionary: Dictionary) -> None:
        self._runtime = runtime
        self._dictionary = dictionary
        self._heard = -1
        self._who: dict[str, tuple[Language, ...]] = {}
        self._routes: tuple[Route, ...] = ()
        self._described: dict[Language, Described] = {}

    def who(self, callback: str) -> tuple[Language, ...]:
        """The languages that have registered a callback, in the order in which they are asked."""
        self._refresh()
        return self._who.get(callback, ())

    @property
    def routes(self) -> tuple[Route, ...]:
        """The REST routes of scripts; the first that matches is the one that answers."""
        self._refresh()
        return self._routes

    def described(self, language: Language) -> Described | None:
        """What the script of a language says of itself."""
        self._refresh()
        return self._described.get(language)

    def publish(self, language: Language, registration: Registration) -> None:
        """Makes a registration known to all processes."""
        value = msgspec.msgpack.encode(registration)
        self._runtime.write(lambda transaction: transaction.set(f"{TOPIC}/{language}", value))

    def _refresh(self) -> None:
        heard = self._runtime.bell.heard(TOPIC)
        if heard == self._heard:
            return
        who: dict[str, tuple[Language, ...]] = {}
        routes: list[Route] = []
        described: dict[Language, Described] = {}
        for language in LANGUAGES:
            value = self._runtime.get(f"{TOPIC}/{language}")
            if value is None:
                continue
            found = _decode(value)
            self._dictionary.learn(found.tags)
            if found.described is not None:
                described[language] = found.described
            for callback in found.callbacks:
                who[callback] = (*who.get(callback, ()), language)
            routes += [
                Route(language, number, literal_beginning(pattern), compiled(pattern))
                for number, pattern in enumerate(found.routes)
            ]
        self._who, self._routes, self._described = who, tuple(routes), described
        self._heard = heard
