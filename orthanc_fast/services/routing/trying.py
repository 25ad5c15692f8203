"""What rules would do with stored resources. Nothing is sent, and nothing enters a queue."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from orthanc_fast.config_routing import Destination, Routing, Rule
from orthanc_fast.config_routing import destination as parsed_destination
from orthanc_fast.config_routing import rule as parsed_rule
from orthanc_fast.dicom.identifiers import from_text, to_text
from orthanc_fast.errors import (
    BadFileFormat,
    BadRequest,
    InexistentItem,
    OrthancError,
    UnknownResource,
)
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.index.packed import unpack
from orthanc_fast.model import Caller, Level, Resource
from orthanc_fast.registries import DICOM_ATTACHMENT
from orthanc_fast.services.browse.describe import NAMES
from orthanc_fast.services.find.finder import Finder
from orthanc_fast.services.modification.identifiers import new_secret
from orthanc_fast.services.routing.alterations import Alteration, Alterations
from orthanc_fast.services.routing.conditions import Conditions
from orthanc_fast.services.store.reads import Reads

MOST: Final = 1000
"""Resources of the level of the event that are tried at most."""

Judge = Callable[[Destination], Callable[[Resource], bool]]
"""For a destination: whether an instance came from there."""


class Tried(msgspec.Struct, omit_defaults=True):
    """What becomes of one resource of the level of the rule's event. `Reason` says why it is not
    sent; `Destinations` how many instances would go to each, `ChangeError` why the first of them
    could not be changed."""

    ID: str
    ResourceType: str
    Matches: bool
    Reason: str | None = None
    InstancesCount: int = 0
    Destinations: dict[str, int] | None = None
    ChangeError: str | None = None


class Trial(msgspec.Struct):
    """The answer; `Complete` is false where there were more resources than are tried."""

    Rule: str
    Event: str
    Complete: bool
    Results: list[Tried]


class Trials:
    """Tries of one process; waits for the disk."""

    def __init__(
        self,
        current: Callable[[], Routing],
        reads: Reads,
        finder: Finder,
        alterations: Alterations,
        judge: Judge,
        check_target: Callable[[Destination], None],
    ) -> None:
        """`check_target` raises OrthancError where there is no such server or folder."""
        self._current = current
        self._read = reads
        self._finder = finder
        self._alterations = alterations
        self._judge = judge
        self._check_target = check_target

    async def check_destination(self, name: str, body: dict[str, Any]) -> None:
        """One that is to be added. Raises BadFileFormat for what cannot be one, BadRequest where
        what it names is not there."""
        try:
            found = parsed_destination(name, body, self._current().here)
        except ValueError as error:
            raise BadFileFormat(str(error)) from error
        try:
            await asyncio.to_thread(self._check_target, found)
        except OrthancError as error:
            given = body[found.kind]
            raise BadRequest(
                f"destination {name!r}: {found.kind}: there is no {given!r}", private=error
            ) from error

    async def check(self, name: str, body: dict[str, Any]) -> None:
        """A rule that is to be added. Raises OrthancError with what is wrong."""
        try:
            found = parsed_rule(name, body, self._current().destinations)
        except ValueError as error:
            raise BadFileFormat(str(error)) from error
        await asyncio.to_thread(self._check, name, found)

    def _check(self, name: str, rule: Rule) -> None:
        Conditions(name, rule, self._read, self._finder)
        self._alterations.of(name, rule)

    async def tried_configured(self, caller: Caller, name: str, resources: Sequence[str]) -> Trial:
        """As `tried`, of a rule of the configuration. Raises InexistentItem."""
        rule = self._current().rules.get(name)
        if rule is None:
            raise InexistentItem(f"No rule of Routing with this name: {name}")
        return await self.tried(caller, name, rule, resources)

    async def tried(self, caller: Caller, name: str, rule: Rule, resources: Sequence[str]) -> Trial:
        """What a rule does with resources of any level: with what they have of the level of its
        event, or belong to. Raises UnknownResource, and what the rule itself raises."""
        return await asyncio.to_thread(self._tried, caller, name, rule, resources)

    def _tried(self, caller: Caller, name: str, rule: Rule, resources: Sequence[str]) -> Trial:
        conditions = Conditions(name, rule, self._read, self._finder)
        alteration = self._alterations.of(name, rule)
        level = conditions.level
        publics = self._read(caller, lambda view: _at_level(view, level, resources))
        judges = {each: self._came_from(each) for each in rule.destinations}
        results = []
        for public in publics[:MOST]:
            verdict = conditions.verdict(public)
            tried = Tried(to_text(public), NAMES[level], bool(verdict.instances))
            tried.Reason = verdict.reason or None
            if verdict.instances:
                records = self._records(caller, verdict.instances)
                tried.InstancesCount = len(records)
                tried.Destinations = {
                    each: sum(not came_from(record) for record in records)
                    for each, came_from in judges.items()
                }
                if not alteration.is_none and records:
                    tried.ChangeError = self._fault(alteration, records[0])
            results.append(tried)
        return Trial(name, rule.event, len(publics) <= MOST, results)

    def _came_from(self, destination: str) -> Callable[[Resource], bool]:
        configured = self._current().destinations[destination]
        return (lambda instance: False) if configured.send_back else self._judge(configured)

    def _records(self, caller: Caller, packed: bytes) -> list[Resource]:
        def read(view: Snapshot) -> list[Resource | None]:
            return view.resources(Level.INSTANCE, list(unpack(packed)))

        return [each for each in self._read(caller, read) if each is not None]

    def _fault(self, alteration: Alteration, instance: Resource) -> str | None:
        file = instance.attachments.get(DICOM_ATTACHMENT)
        if file is None:
            return None
        try:
            alteration.begin(new_secret).apply(file)
        except OrthancError as error:
            return error.details or error.text
        return None


def _at_level(view: Snapshot, level: Level, names: Sequence[str]) -> list[bytes]:
    found: dict[bytes, None] = {}
    for name in names:
        public = from_text(name)
        resource = None if public is None else view.resource_of_any_level(public)
        if resource is None:
            raise UnknownResource(f"There is no resource {name}")
        line = [resource, *view.ancestors(resource)]
        above = next((each for each in line if each.level == level), None)
        if above is not None:
            found[above.public] = None
        else:
            packed = view.by_creation(level, view.descendants_packed(resource, level))
            found |= dict.fromkeys(unpack(packed))
    return list(found)
