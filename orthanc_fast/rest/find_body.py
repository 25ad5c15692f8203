"""The body of /tools/find and its relatives: from JSON to a query and the form of its answer.

Source: reference chapter 1, section 9.1.
"""

import json
from typing import Any, TypeVar

from orthanc_fast.dicom.identifiers import from_text
from orthanc_fast.dicom.main_tags import level_named
from orthanc_fast.dicom.tag_json import Format
from orthanc_fast.errors import (
    BadFileFormat,
    BadRequest,
    BadSequenceOfCalls,
    InternalError,
    ParameterOutOfRange,
)
from orthanc_fast.model import LabelsConstraint, Level
from orthanc_fast.services.browse.metadata_names import MetadataNames
from orthanc_fast.services.find.content import Presentation, ResponseContent, parse_content
from orthanc_fast.services.find.finder import Finder
from orthanc_fast.services.find.matching import text_matcher
from orthanc_fast.services.find.query import Condition, FindQuery, OrderKey, Place
from orthanc_fast.services.find.requested import RequestedTags

T = TypeVar("T")

# Of several the first one counts.
FORMS: dict[str, Format] = {"Simplify": "simplify", "Short": "short", "Full": "full"}

LABELS_CONSTRAINTS: tuple[LabelsConstraint, ...] = ("All", "Any", "None")
PARENTS = (
    ("ParentPatient", Level.PATIENT),
    ("ParentStudy", Level.STUDY),
    ("ParentSeries", Level.SERIES),
)

# Where the tags of a query are shown among the results although nobody has asked for them.
_SHOWN_OF_QUERY = frozenset({Place.FILE, Place.COMPUTED, Place.MODALITIES})

# What no resource has: an identifier that is no identifier finds nothing.
_NOBODY = b""


class FindBody:
    """One body. Its methods raise what section 9.1 says: BadRequest, ParameterOutOfRange..."""

    def __init__(self, body: dict[str, Any], finder: Finder, names: MetadataNames) -> None:
        self._body = body
        self._finder = finder
        self._names = names
        self.level = level_named(self._required("Level", str))
        self.case_sensitive = self._optional("CaseSensitive", bool, False)

    def conditions(self) -> FindQuery:
        """What is searched for, without pages and order."""
        name = self._optional("LabelsConstraint", str, "All")
        constraint = next((each for each in LABELS_CONSTRAINTS if each == name), None)
        if constraint is None:
            raise BadRequest('LabelsConstraint must be "All", "Any" or "None"')
        query = FindQuery(
            level=self.level,
            conditions=self._finder.tags.conditions(self._tag_texts(), self.case_sensitive),
            labels=self._texts("Labels"),
            metadata=self._metadata(self.case_sensitive),
            parent=self._parent(),
            labels_constraint=constraint,
        )
        for tag, _ in query.conditions:
            self._finder.tags.check(tag, self.level)
        return query

    def query(self) -> FindQuery:
        """What is searched for, with limits as given."""
        query = self.conditions()
        query.order = self._order()
        query.since = self._number("Since")
        query.limit = self._number("Limit")
        return query

    @property
    def since_given(self) -> bool:
        return "Since" in self._body

    def presentation(self) -> Presentation | None:
        """How results are shown; None for bare identifiers."""
        requested, form = self._requested(), self.form()
        content: ResponseContent | None = None
        if "ResponseContent" in self._body:
            content = parse_content(self._names_in("ResponseContent"))
        elif not self._truth("Expand"):
            return None
        return Presentation(form, content, requested)

    def form(self) -> Format:
        chosen = [name for name in FORMS if self._flag(name)]
        return FORMS[chosen[0]] if chosen else "simplify"

    def _requested(self) -> RequestedTags | None:
        """The tags asked for, and those of the query whose values are no main tags."""
        tags = self._finder.tags
        wanted = [tags.dictionary.parse(name) for name in self._names_in("RequestedTags")]
        for name, text in self._tag_texts().items():
            if text:
                tag = tags.dictionary.parse(name)
                if tags.locate(tag, self.level).place in _SHOWN_OF_QUERY:
                    wanted.append(tag)
        if not wanted:
            return None
        return RequestedTags(wanted, self.level, tags, self._finder.options)

    def _tag_texts(self) -> dict[str, str]:
        if "Query" not in self._body:
            raise BadRequest('The field "Query" is mandatory')
        query = self._body["Query"]
        if query is None:
            return {}
        if not isinstance(query, dict):
            # Orthanc does not check this type: section 1.3.
            raise InternalError("An unhandled exception was generated inside the HTTP server")
        return self._all_texts("Query", query)

    def _all_texts(self, name: str, members: dict[str, Any]) -> dict[str, str]:
        for key, value in members.items():
            if not isinstance(value, str):
                raise BadRequest(f'The field "{name}" must have texts as values: {key}')
        return members

    def _metadata(self, case_sensitive: bool) -> list[Condition]:
        given = self._all_texts("MetadataQuery", self._optional("MetadataQuery", dict, {}))
        found = []
        for name, text in given.items():
            number = self._names.number(name)
            matcher = text_matcher(text, case_sensitive)
            if matcher is not None:
                found.append(Condition(number, matcher))
        return found

    def _parent(self) -> tuple[Level, bytes] | None:
        for name, above in PARENTS:
            if name in self._body:
                text = self._required(name, str)
                if above > self.level:
                    raise BadSequenceOfCalls(f'"{name}" stands below the level of the query')
                return above, from_text(text) or _NOBODY
        return None

    def _order(self) -> list[OrderKey]:
        found = []
        for entry in self._optional("OrderBy", list, []):
            if not isinstance(entry, dict) or any(
                not isinstance(entry.get(name), str) for name in ("Type", "Key", "Direction")
            ):
                raise BadRequest('"OrderBy" is a list of {"Type", "Key", "Direction"}, all texts')
            found.append(self._order_key(entry["Type"], entry["Key"], entry["Direction"]))
        return found

    def _order_key(self, kind: str, name: str, direction: str) -> OrderKey:
        kind, direction = kind.lower(), direction.lower()
        if direction not in ("asc", "desc"):
            raise ParameterOutOfRange('OrderBy: the direction is "ASC" or "DESC"')
        descending = direction == "desc"
        if kind.startswith("dicomtag"):
            tag = self._finder.tags.dictionary.parse(name)
            suffix = kind.removeprefix("dicomtag")
            if suffix == "asint":
                return OrderKey("tag", tag, "integer", descending)
            if suffix == "asfloat":
                return OrderKey("tag", tag, "float", descending)
            if suffix == "folded":  # this server's own; Orthanc takes it for "DicomTag"
                return OrderKey("tag", tag, "folded", descending)
            return OrderKey("tag", tag, "text", descending)
        if kind.startswith("metadata"):
            number = self._names.number(name)
            suffix = kind.removeprefix("metadata")
            # MetadataAsFloat sorts as text, as in Orthanc: section 9.5.
            return OrderKey(
                "metadata", number, "integer" if suffix == "asint" else "text", descending
            )
        raise ParameterOutOfRange(f"OrderBy: there is no type {kind!r}")

    # Fields and their types

    def _required(self, name: str, kind: type[T]) -> T:
        value = self._body.get(name)
        if not isinstance(value, kind):
            raise BadRequest(f'The field "{name}" is mandatory and must be {_NAMES[kind]}')
        return value

    def _optional(self, name: str, kind: type[T], default: T) -> T:
        value = self._body.get(name, default)
        if not isinstance(value, kind):
            raise BadRequest(f'The field "{name}" must be {_NAMES[kind]}')
        return value

    def _texts(self, name: str) -> list[str]:
        found = self._optional(name, list, [])
        if not all(isinstance(item, str) for item in found):
            raise BadRequest(f'The field "{name}" must be a list of texts')
        return found

    def _names_in(self, name: str) -> list[str]:
        """Items that are no texts are what they look like in JSON: names that nobody knows."""
        found = self._optional(name, list, [])
        return [item if isinstance(item, str) else json.dumps(item) for item in found]

    def _number(self, name: str) -> int:
        value = self._body.get(name, 0)
        if not isinstance(value, int) or isinstance(value, bool):
            raise BadRequest(f'The field "{name}" must be an integer')
        if value < 0:
            raise ParameterOutOfRange(f'The field "{name}" must not be negative')
        return value

    def _flag(self, name: str) -> bool:
        value = self._body.get(name, False)
        if not isinstance(value, bool):
            raise BadFileFormat(f"Boolean value expected in field: {name}")
        return value

    def _truth(self, name: str) -> bool:
        """Numbers count as truth values; other types Orthanc does not check: section 1.3."""
        value = self._body.get(name)
        if isinstance(value, str | list | dict):
            raise InternalError("An unhandled exception was generated inside the HTTP server")
        return bool(value)


_NAMES: dict[type, str] = {
    str: "a text",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}
