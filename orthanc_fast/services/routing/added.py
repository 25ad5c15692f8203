"""Rules and destinations that REST has added to those of the configuration: kept in the index, for
all processes.

A rule counts from the change on behind which it was added, whenever the process that routes comes
to know of it.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from orthanc_fast.config_routing import Routing, destination, rule
from orthanc_fast.errors import BadRequest, InexistentItem
from orthanc_fast.index.contract import Snapshot, Transaction
from orthanc_fast.log import Category, logger
from orthanc_fast.model import SERVER
from orthanc_fast.services.store.reads import Reads

ADDED: Final = "routing/added"


class AddedRule(msgspec.Struct):
    """As it came, and the number of the change behind which it was added."""

    since: int
    body: dict[str, Any]


class Added(msgspec.Struct):
    """By name."""

    destinations: dict[str, dict[str, Any]] = {}
    rules: dict[str, AddedRule] = {}


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Added).decode


def added_of(value: bytes | None) -> Added:
    return Added() if value is None else _decode(value)


class Current:
    """What is configured and added together, as it is now; one for each process."""

    def __init__(self, configured: Routing, reads: Reads) -> None:
        self.configured = configured
        self._read = reads
        self._known: tuple[bytes | None, Routing] = (None, configured)

    def version(self) -> bytes | None:
        """Changes with what is added."""
        return self._read(SERVER, _value)

    def __call__(self) -> Routing:
        """What does not fit to the configuration any more is left out, and told in the log."""
        value = self.version()
        if value != self._known[0]:
            self._known = value, merged(self.configured, added_of(value))
        return self._known[1]

    def since(self) -> dict[str, int | None]:
        """As `beginnings`."""
        return beginnings(self.configured, self.version())

    # Changes, each within a transaction. They raise BadRequest for a name of the configuration.

    def put_destination(self, transaction: Transaction, name: str, body: dict[str, Any]) -> None:
        self._check(name, self.configured.destinations, "destination")
        added = added_of(transaction.property(ADDED))
        added.destinations = {**added.destinations, name: body}
        transaction.set_property(ADDED, _encode(added))

    def put_rule(self, transaction: Transaction, name: str, body: dict[str, Any]) -> None:
        self._check(name, self.configured.rules, "rule")
        added = added_of(transaction.property(ADDED))
        there = {*self.configured.destinations, *added.destinations}
        for each in body["Destinations"]:
            if each not in there:  # any more
                raise BadRequest(f"rule {name!r}: there is no destination {each!r}")
        known = added.rules.get(name)
        since = transaction.totals.next_change - 1 if known is None else known.since
        added.rules = {**added.rules, name: AddedRule(since, body)}
        transaction.set_property(ADDED, _encode(added))

    def delete_rule(self, transaction: Transaction, name: str) -> None:
        """Raises InexistentItem too."""
        self._check(name, self.configured.rules, "rule")
        added = added_of(transaction.property(ADDED))
        if name not in added.rules:
            raise InexistentItem(f"No rule of Routing with this name: {name}")
        added.rules = {each: rest for each, rest in added.rules.items() if each != name}
        transaction.set_property(ADDED, _encode(added))

    def delete_destination(self, transaction: Transaction, name: str) -> None:
        """Raises as `without`."""
        transaction.set_property(ADDED, _encode(self.without(transaction, name)))

    def without(self, view: Snapshot | Transaction, name: str) -> Added:
        """What is left when a destination is removed. Raises InexistentItem too, and BadRequest
        where a rule names it."""
        self._check(name, self.configured.destinations, "destination")
        added = added_of(view.property(ADDED))
        if name not in added.destinations:
            raise InexistentItem(f"No destination of Routing with this name: {name}")
        for each, found in added.rules.items():
            if name in found.body.get("Destinations", ()):
                raise BadRequest(f"The rule {each!r} sends to this destination: remove it before")
        added.destinations = {
            each: rest for each, rest in added.destinations.items() if each != name
        }
        return added

    def _check(self, name: str, configured: Mapping[str, Any], what: str) -> None:
        if name in configured:
            raise BadRequest(f"The {what} {name!r} is that of the configuration: change it there")


def beginnings(configured: Routing, value: bytes | None) -> dict[str, int | None]:
    """All rules, also those that are not enabled or left out, for `records.begin`: one that comes
    back does not count for what happened meanwhile."""
    added = {name: each.since for name, each in added_of(value).rules.items()}
    return {**added, **dict.fromkeys(configured.rules)}


def merged(configured: Routing, added: Added) -> Routing:
    """Those of the configuration come first."""
    destinations, rules, here = (
        dict(configured.destinations),
        dict(configured.rules),
        configured.here,
    )
    for name, body in added.destinations.items():
        try:
            destinations.setdefault(name, destination(name, body, here))
        except ValueError as error:
            logger.error(Category.GENERIC, f"Routing: left out: {error}")
    for name, each in added.rules.items():
        try:
            rules.setdefault(name, rule(name, each.body, destinations))
        except ValueError as error:
            logger.error(Category.GENERIC, f"Routing: left out: {error}")
    return Routing(destinations, rules, here)


def _value(view: Snapshot) -> bytes | None:
    return view.property(ADDED)
