"""Whether a rule concerns a resource, and which of its instances.

Tags and labels are asked of the resource of the event, by the search of /tools/find. The origin is
asked of each instance: those from elsewhere stay here.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from orthanc_fast.config_routing import Rule
from orthanc_fast.dicom.dictionary import tag_text
from orthanc_fast.errors import BadRequest
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.index.packed import unpack
from orthanc_fast.model import SERVER, SHA1, Level, Resource
from orthanc_fast.registries import (
    CALLED_AET,
    COMPLETED_SERIES,
    HTTP_USERNAME,
    NEW_INSTANCE,
    ORIGIN,
    REMOTE_AET,
    REMOTE_IP,
    STABLE_PATIENT,
    STABLE_SERIES,
    STABLE_STUDY,
)
from orthanc_fast.services.browse.describe import NAMES
from orthanc_fast.services.find.finder import Finder
from orthanc_fast.services.find.matching import Matcher, text_matcher
from orthanc_fast.services.find.query import FindQuery, Place
from orthanc_fast.services.store.reads import Reads

EVENTS: Final[Mapping[str, tuple[int, Level]]] = {
    "NewInstance": (NEW_INSTANCE, Level.INSTANCE),
    "StableSeries": (STABLE_SERIES, Level.SERIES),
    "CompletedSeries": (COMPLETED_SERIES, Level.SERIES),
    "StableStudy": (STABLE_STUDY, Level.STUDY),
    "StablePatient": (STABLE_PATIENT, Level.PATIENT),
}
"""The number of each event's change, and the level of its resource."""

_ORIGINS: Final = {
    "Origin": ORIGIN,
    "RemoteAET": REMOTE_AET,
    "CalledAET": CALLED_AET,
    "RemoteIP": REMOTE_IP,
    "HttpUsername": HTTP_USERNAME,
}
_UNASKED: Final = frozenset({Place.BELOW, Place.FAR_BELOW, Place.NOWHERE})
_RECORDS_AT_ONCE: Final = 256


class Verdict(msgspec.Struct, frozen=True):
    """`instances` are packed, in the order in which they were stored. `reason` says why there are
    none."""

    instances: bytes = b""
    reason: str = ""


class Conditions:
    """Those of one rule; for threads that may wait for the disk."""

    def __init__(self, name: str, rule: Rule, reads: Reads, finder: Finder) -> None:
        """Raises BadRequest, UnknownDicomTag or ParameterOutOfRange for what cannot be asked."""
        self.name = name
        self.rule = rule
        self.change, self.level = EVENTS[rule.event]
        self._read = reads
        self._finder = finder
        self._tags = finder.tags.conditions(rule.query, rule.case_sensitive)
        self._check()
        self._origin: list[tuple[int, Matcher]] = []
        for field, text in rule.origin.items():
            made = text_matcher(text, rule.case_sensitive)
            if made is not None:
                self._origin.append((_ORIGINS[field], made))

    def _check(self) -> None:
        for tag, made in self._tags:
            self._finder.tags.check(tag, self.level)
            place = self._finder.tags.locate(tag, self.level).place
            is_unasked = place in _UNASKED or (place == Place.MODALITIES and made.walks)
            if is_unasked or (place == Place.FILE and not self._finder.options.files_allowed):
                raise BadRequest(
                    f"Query: {tag_text(tag)} {self._finder.tags.dictionary.name(tag)} cannot be "
                    f"asked of a {NAMES[self.level].lower()} like this"
                )

    def verdict(self, public: bytes) -> Verdict:
        """About a resource of the level of the event."""
        if self._tags and not self._meets_query(public):
            return Verdict(reason="Query")
        found = self._read(SERVER, lambda view: self._instances(view, public))
        if isinstance(found, str):
            return Verdict(reason=found)
        kept = self._from_there(found) if self._origin else found
        return Verdict(kept, "" if kept else "Origin: of none of its instances")

    def _meets_query(self, public: bytes) -> bool:
        query = FindQuery(
            level=self.level, conditions=self._tags, parent=(self.level, public), limit=1
        )
        return bool(self._finder.find(SERVER, query).packed)

    def _instances(self, view: Snapshot, public: bytes) -> bytes | str:
        """Packed; or the reason why there are none."""
        resource = view.resource(self.level, public)
        if resource is None:
            return "it has been deleted"
        if not self._meets_labels(resource):
            return "Labels"
        if self.level == Level.INSTANCE:
            return public
        below = view.descendants_packed(resource, Level.INSTANCE)
        return view.by_creation(Level.INSTANCE, below)

    def _meets_labels(self, resource: Resource) -> bool:
        """As /tools/find: without labels, `None` is what has none at all."""
        wanted, found = self.rule.labels, resource.labels
        if self.rule.labels_constraint == "None":
            return not any(each in found for each in wanted) if wanted else not found
        if self.rule.labels_constraint == "Any" and wanted:
            return any(each in found for each in wanted)
        return all(each in found for each in wanted)

    def _from_there(self, packed: bytes) -> bytes:
        kept: list[bytes] = []
        for start in range(0, len(packed), _RECORDS_AT_ONCE * SHA1):
            publics = list(unpack(packed[start : start + _RECORDS_AT_ONCE * SHA1]))

            def records(
                view: Snapshot, publics: Sequence[bytes] = publics
            ) -> list[Resource | None]:
                return view.resources(Level.INSTANCE, publics)

            known = (each for each in self._read(SERVER, records) if each is not None)
            kept += [each.public for each in known if self._is_from_there(each)]
        return b"".join(kept)

    def _is_from_there(self, instance: Resource) -> bool:
        return all(made.matches(instance.metadata.get(number, "")) for number, made in self._origin)
