"""Events as Lua scripts hear of them. Source: reference chapter 7, section 6.3."""

from typing import TYPE_CHECKING, Any, Final

import msgspec

from orthanc_fast.dicom.identifiers import from_text
from orthanc_fast.dicom.tag_json import named_tags
from orthanc_fast.errors import UnknownResource
from orthanc_fast.model import Level
from orthanc_fast.registries import CHANGE_NUMBERS
from orthanc_fast.scripting.lua.context import Context
from orthanc_fast.scripting.lua.functions import LUA
from orthanc_fast.scripting.lua.questions import origin_table
from orthanc_fast.scripting.lua.routing import Routing, operations_of
from orthanc_fast.scripting.observer import NOTED, Event
from orthanc_fast.services.scripts.questions import Origin

if TYPE_CHECKING:
    from orthanc_fast.scripting.host import Host


def _of_levels(prefix: str) -> tuple[str, ...]:
    return tuple(f"{prefix}{level.name.title()}" for level in Level)


# What the changes of the log are called in Lua.
CALLBACKS: Final = {
    "NewInstance": ("OnStoredInstance",),
    "StablePatient": ("OnStablePatient",),
    "StableStudy": ("OnStableStudy",),
    "StableSeries": ("OnStableSeries",),
    **dict.fromkeys(("UpdatedMetadata", "UpdatedAttachment"), _of_levels("OnUpdated")),
    "Deleted": _of_levels("OnDeleted"),
    "JobSubmitted": ("OnJobSubmitted",),
    "JobSuccess": ("OnJobSuccess",),
    "JobFailure": ("OnJobFailure",),
}
_OF_ARRIVAL: Final = ("OnStored", "OnStable")


class Events:
    """Calls the callbacks of the main context."""

    def __init__(self, host: "Host", context: Context, routing: Routing) -> None:
        self._host = host
        self._context = context
        self._routing = routing

    def wanted(self) -> frozenset[int]:
        """The numbers of the changes for which there is a callback."""
        names = {name for each in CALLBACKS.values() for name in each}
        there = self._context.which(names)
        return frozenset(
            CHANGE_NUMBERS.get(kind, NOTED)
            for kind, callbacks in CALLBACKS.items()
            if there & {*callbacks}
        )

    def handle(self, event: Event) -> None:
        """Raises what the callback raises. A resource that has been deleted since is passed
        over."""
        callbacks = CALLBACKS.get(event.kind)
        if callbacks is None:
            return
        name = callbacks[event.level or 0] if len(callbacks) > 1 else callbacks[0]
        count = self._context.takes(name)
        if count is None:
            return
        if event.level is None or not name.startswith(_OF_ARRIVAL):
            self._context.call(self._seconds, name, event.resource)
            return
        found = self._found(event.level, event.resource, count - 1)
        if found is not None:
            json = self._context.route(self._seconds, name, event.resource, *found)
            operations = operations_of(json)
            if operations:
                self._routing.add(event.sequence, operations)

    @property
    def _seconds(self) -> float:
        return self._host.options.event_timeout

    def _found(self, level: Level, text: str, count: int) -> tuple[Any, ...] | None:
        """What the callback gets behind the identifier, if it can see so many arguments: tags and
        metadata, and of an instance its origin. None where the resource is not there."""
        services = self._host.services
        public = from_text(text)
        assert public is not None

        resource = services.resources.find(LUA, level, public)
        if resource is None:
            return None
        if count <= 0:
            return ()
        if level != Level.INSTANCE:
            tags = named_tags(resource.tags, "simplify", services.dictionary)
        else:
            tags = msgspec.json.decode(services.instance_tags.json(resource, "simplify"))
        if count == 1:
            return (tags,)
        try:
            numbered = services.metadata.texts(LUA, level, public)
        except UnknownResource:
            return None
        metadata = {services.metadata_names.name(number): numbered[number] for number in numbered}
        if level != Level.INSTANCE:
            return tags, metadata
        origin = Origin(
            request_origin=metadata.get("Origin", "Unknown"),
            remote_ip=metadata.get("RemoteIP"),
            user=metadata.get("HttpUsername"),
            remote_aet=metadata.get("RemoteAET"),
            called_aet=metadata.get("CalledAET"),
        )
        return tags, metadata, origin_table(origin)
