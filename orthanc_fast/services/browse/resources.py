"""Patients, studies, series and instances: which there are, and what each of them shows.

Source: reference chapter 1, sections 4 and 8.1.
"""

from typing import NamedTuple

from orthanc_fast.dicom.tag_json import Format
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.model import Caller, Level, Resource, Totals
from orthanc_fast.services.browse.describe import Answer, Describer
from orthanc_fast.services.store.lookup import found_or_raise
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.terms import (
    PATIENT_ID,
    SERIES_INSTANCE_UID,
    SOP_INSTANCE_UID,
    STUDY_INSTANCE_UID,
)

_IDENTIFIERS = (
    (Level.PATIENT, PATIENT_ID),
    (Level.STUDY, STUDY_INSTANCE_UID),
    (Level.SERIES, SERIES_INSTANCE_UID),
    (Level.INSTANCE, SOP_INSTANCE_UID),
)


class Page(NamedTuple):
    """A page of a listing: SHA-1 values of 20 bytes each, and how many there are on all pages."""

    packed: bytes
    total: int


class Resources:
    """The resources of the store, for reading."""

    def __init__(self, reads: Reads, describer: Describer) -> None:
        self._read = reads
        self._describer = describer

    # Single ones

    def find(self, caller: Caller, level: Level, public: bytes) -> Resource | None:
        """The resource with this 20-byte identifier at this level, or None."""
        return self._read(caller, lambda view: view.resource(level, public))

    def require(self, caller: Caller, level: Level, public: bytes) -> Resource:
        """As `find`; raises UnknownResource."""
        return found_or_raise(self.find(caller, level, public))

    def expanded(self, caller: Caller, level: Level, public: bytes, form: Format) -> Answer | None:
        """What a resource shows, main tags in the given format; None where there is none."""
        return self._read(caller, lambda view: self._expanded(view, level, public, form))

    def _expanded(self, view: Snapshot, level: Level, public: bytes, form: Format) -> Answer | None:
        found = view.resource(level, public)
        return None if found is None else self._describer.describe(view, found, form)

    # Relatives

    def ancestor(
        self, caller: Caller, level: Level, public: bytes, above: Level, form: Format
    ) -> Answer | None:
        """What the resource at the level `above` shows; None where `public` is of another level.
        Raises UnknownResource where it is of none."""

        def read(view: Snapshot) -> Answer | None:
            found = view.resource(level, public)
            if found is None:
                found_or_raise(view.resource_of_any_level(public))
            while found is not None and found.level > above:
                found = view.parent(found)
            return None if found is None else self._describer.describe(view, found, form)

        return self._read(caller, read)

    def descendants(self, caller: Caller, level: Level, public: bytes, below: Level) -> list[bytes]:
        """The identifiers of the resources of the level `below` that belong to a resource, in
        ascending order. Raises UnknownResource."""
        return self._read(
            caller,
            lambda view: view.descendants(found_or_raise(view.resource(level, public)), below),
        )

    # By what DICOM calls them

    def with_dicom_identifier(self, caller: Caller, text: str) -> list[tuple[Level, bytes]]:
        """The resources whose PatientID or UID is `text`, from the patients down; letters of ASCII
        in upper or lower case. Source: reference chapter 1, section 8.2."""
        wanted = _ascii_upper(text)

        def read(view: Snapshot) -> list[tuple[Level, bytes]]:
            return [
                (level, resource.public)
                for level, tag in _IDENTIFIERS
                for resource in view.with_term(level, tag, text)
                # The index folds all letters.
                if _ascii_upper(resource.tags.get(tag, "")) == wanted
            ]

        return self._read(caller, read)

    # All of them

    def page(self, caller: Caller, level: Level, since: int = 0, limit: int = 0) -> Page:
        """The resources of a level in ascending order: skips `since`, gives at most `limit` (0:
        all)."""
        return self._read(
            caller,
            lambda view: Page(
                view.listing_packed(level, since, limit), view.totals().resources[level]
            ),
        )

    def totals(self, caller: Caller) -> Totals:
        """The counters of the whole store."""
        return self._read(caller, lambda view: view.totals())


def _ascii_upper(text: str) -> str:
    return "".join(c.upper() if c.isascii() else c for c in text)
