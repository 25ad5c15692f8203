"""From a query to the set of resources that can match it, and what is left to be tested on each.

The most selective condition that the index can answer makes the first set. Another condition makes
a set too and is intersected, as long as that is cheaper than testing the resources that are left.
"""

from collections.abc import Callable, Iterable, Sequence

from orthanc_fast._ext.idsets import subtract
from orthanc_fast.errors import OrthancError
from orthanc_fast.index.contract import Search
from orthanc_fast.index.packed import intersection, union
from orthanc_fast.index.terms import Kind
from orthanc_fast.model import SHA1, Level, Resource, Totals
from orthanc_fast.registries import SOP_CLASS_UID
from orthanc_fast.services.find.computed import computed_values, found_below, matching_children
from orthanc_fast.services.find.facts import Facts, main_sequence
from orthanc_fast.services.find.matching import Equality, Keys, Matcher, is_universal
from orthanc_fast.services.find.other_matchers import InSequence
from orthanc_fast.services.find.query import (
    DATABASE_CANNOT_PREPARE,
    Below,
    Condition,
    FindQuery,
    Place,
    Tags,
)
from orthanc_fast.services.store.lookup import records
from orthanc_fast.services.store.terms import MODALITY, is_indexed_metadata, is_indexed_tag

Filter = Callable[[Facts, Sequence[Resource]], Sequence[Resource]]
"""Those of some resources that pass a test, in their order; what it needs to know of them it asks
for together."""

# Seconds, measured; only their ratios matter.
_PER_MEMBER = 1e-7  # of a set: read, merged, intersected
_PER_TEST = 4e-6  # a record loaded and asked
_PER_KEY = 3e-6  # of a walk

# Keys whose resources are counted for an estimate.
_COUNTED = 100


class Plan:
    """`candidates` is the set of resources to be looked at, None for all of the level. What matches
    passes all `filters`, and the file that stands for it meets all of `in_files`: that is tested
    when no snapshot is open. `is_hasty`: some condition is a filter only because finding the set of
    what meets it takes a walk over the keys."""

    __slots__ = ("candidates", "filters", "in_files", "is_hasty")

    def __init__(self) -> None:
        self.candidates: bytes | None = None
        self.filters: list[Filter] = []
        self.in_files: list[Condition] = []
        self.is_hasty = False

    @property
    def tests(self) -> bool:
        """Whether candidates have to be looked at one by one."""
        return bool(self.filters or self.in_files)

    def narrow(self, members: bytes) -> None:
        """Only what is in `members` too can match."""
        known = self.candidates
        self.candidates = members if known is None else intersection(known, members)

    @property
    def size(self) -> int | None:
        return None if self.candidates is None else len(self.candidates) // SHA1


class _Indexed:
    """A condition that keys of the index answer: at `home`, the level of the query or one above it
    (or below it, where some child may match)."""

    def __init__(
        self, kind: Kind, home: Level, number: int, matcher: Matcher, keep: Filter, exact: Filter
    ) -> None:
        self.walks = matcher.walks
        self.home = home
        self.keep = keep
        self._exact = exact  # for the members of keys whose value was cut
        self._kind = kind
        self._number = number
        self._matcher = matcher
        self._keys: Keys | None = None
        self._known: bytes | None = None  # the set of what lies under keys that are sure

    def _found(self, search: Search) -> Keys:
        if self._keys is None:
            field = self._kind, self.home, self._number
            read = self._matcher.members(search, *field)
            if read is None:
                self._keys = self._matcher.keys(search, *field)
            else:
                self._known, cut = read
                self._keys = Keys([], cut)
        return self._keys

    def estimate(self, search: Search, level: Level, totals: Totals) -> float:
        """About how many resources of `level` match."""
        fan_out = totals.resources[level] / max(1, totals.resources[self.home])
        found = self._found(search).all
        # Of many keys some tell how many resources one has.
        some = found[:: len(found) // _COUNTED + 1]
        under = search.count(some) * len(found) / max(1, len(some))
        return (under + len(self._known or b"") / SHA1) * fan_out

    def members(self, search: Search, level: Level, facts: Facts) -> bytes:
        """The set of all resources of `level` that match."""
        keys = self._found(search)
        found = search.members(keys.sure) if self._known is None else self._known
        if keys.cut:
            passed = passing(facts, self.home, search.members(keys.cut), (self._exact,))
            found = union([found, passed])
        for below in range(self.home, level, -1):
            found = search.ascend(found, below)
        if self.home > level:
            return found
        return search.descend(found, self.home, level)


class _Joined:
    """Several conditions on ancestors, decided together at the level of the lowest ancestor: fewer
    resources are looked at there than below."""

    walks = True  # finding its members takes as long as a walk may

    def __init__(self, parts: list[_Indexed], planner: "Planner") -> None:
        self.home = max(part.home for part in parts)
        self._parts = parts
        self._planner = planner
        self._found: bytes | None = None

    def keep(self, facts: Facts, resources: Sequence[Resource]) -> Sequence[Resource]:
        return kept(facts, resources, (part.keep for part in self._parts))

    def estimate(self, search: Search, level: Level, totals: Totals) -> float:
        fan_out = totals.resources[level] / max(1, totals.resources[self.home])
        return len(self._members_at_home()) / SHA1 * fan_out

    def members(self, search: Search, level: Level, facts: Facts) -> bytes:
        return search.descend(self._members_at_home(), self.home, level)

    def _members_at_home(self) -> bytes:
        if self._found is None:
            self._found = self._planner.decided(self.home, self._parts)
        return self._found


class Planner:
    """Plans one query on one view. A hasty one walks over no keys: good where much matches."""

    def __init__(
        self, search: Search, facts: Facts, tags: Tags, files_allowed: bool, hasty: bool = False
    ) -> None:
        self._search = search
        self._facts = facts
        self._tags = tags
        self._files_allowed = files_allowed
        self._hasty = hasty
        self._totals = facts.view.totals()

    def plan(self, query: FindQuery) -> Plan | None:
        """None if nothing can match. Raises OrthancError 1012 for a tag of a level further
        below."""
        plan = Plan()
        indexed: list[_Indexed] = []
        # All of them, since one that cannot be asked is an error even where another is false.
        if not all([self._place(query, each, plan, indexed) for each in query.conditions]):
            return None
        for condition in query.metadata:
            self._place_metadata(query, condition, plan, indexed)
        if query.parent is not None:
            above, public = query.parent
            exists = self._facts.view.exists(above, public)
            plan.narrow(self._search.descend(public, above, query.level) if exists else b"")
        self._apply_labels(query, plan)
        self._apply(query, plan, indexed)
        return None if plan.candidates == b"" else plan

    def _place(
        self, query: FindQuery, condition: Condition, plan: Plan, indexed: list[_Indexed]
    ) -> bool:
        """Puts a condition where it is decided; False if it can never be true."""
        tag, matcher = condition
        level = query.level
        place, home = self._tags.locate(tag, level)
        if isinstance(matcher, InSequence) and place in (Place.MAIN, Place.BELOW):
            plan.filters.append(_sequence_filter(tag, home, matcher))
            return True
        if query.below == Below.SOME_DESCENDANT:
            place = Place.BELOW if place == Place.FAR_BELOW else place
        elif place in (Place.BELOW, Place.FAR_BELOW) and is_universal(matcher):
            if query.below != Below.SOME_CHILD:
                return query.below == Below.COUNTED
            if place == Place.FAR_BELOW:
                place = Place.FILE  # no index is asked, so the level does not matter
        if place == Place.FAR_BELOW:
            raise OrthancError(
                "the tag belongs to a level further below: search at that level",
                code=DATABASE_CANNOT_PREPARE,
            )
        if place == Place.NOWHERE or (place == Place.BELOW and query.below == Below.NOTHING):
            return False
        if place == Place.MODALITIES and matcher.finds_absent:
            plan.filters.append(_computed_filter(tag, matcher))
        elif place == Place.MODALITIES:
            if matcher.walks:
                return False  # equality and lists only: section 9.3
            indexed.append(_modalities(matcher))
        elif place == Place.MAIN and is_indexed_tag(home, tag) and not matcher.finds_absent:
            keep = _tag_filter(tag, home, matcher)
            indexed.append(_Indexed(Kind.TAG, home, tag, matcher, keep, keep))
        elif place == Place.MAIN:
            plan.filters.append(_tag_filter(tag, home, matcher))
        elif place == Place.BELOW:
            self._place_below(tag, home, matcher, plan, indexed)
        elif place == Place.COMPUTED:
            plan.filters.append(_computed_filter(tag, matcher))
        elif place == Place.CLASS:
            plan.filters.append(_class_filter(matcher))
        else:
            if not self._files_allowed:
                return False
            plan.in_files.append(condition)
        return True

    def _place_below(
        self, tag: int, home: Level, matcher: Matcher, plan: Plan, indexed: list[_Indexed]
    ) -> None:
        keep = _child_filter(tag, home, matcher)
        if is_indexed_tag(home, tag) and not matcher.finds_absent:
            own = _tag_filter(tag, home, matcher)
            indexed.append(_Indexed(Kind.TAG, home, tag, matcher, keep, own))
        else:
            plan.filters.append(keep)

    def _place_metadata(
        self, query: FindQuery, condition: Condition, plan: Plan, indexed: list[_Indexed]
    ) -> None:
        number, matcher = condition
        keep = _metadata_filter(number, matcher)
        if is_indexed_metadata(query.level, number):
            made = _Indexed(Kind.METADATA, query.level, number, matcher, keep, keep)
            indexed.append(made)
        else:
            plan.filters.append(keep)

    def _apply_labels(self, query: FindQuery, plan: Plan) -> None:
        labels, level, search = query.labels, query.level, self._search
        if query.labels_constraint == "None":
            if labels:
                excluded = union([self._labelled(level, label) for label in labels])
            else:
                excluded = search.members(search.between(Kind.LABEL, level, 0))
            if plan.candidates is None and not excluded:
                return
            candidates = plan.candidates
            if candidates is None:
                candidates = self._facts.view.listing_packed(level)
            plan.candidates = subtract(candidates, excluded)
        elif labels and query.labels_constraint == "Any":
            plan.narrow(union([self._labelled(level, label) for label in labels]))
        else:
            for label in labels:
                plan.narrow(self._labelled(level, label))

    def _labelled(self, level: Level, label: str) -> bytes:
        matcher = Equality(label, identifier=False, case_sensitive=True)
        return self._search.members(matcher.keys(self._search, Kind.LABEL, level, 0).all)

    def decided(self, level: Level, indexed: list[_Indexed]) -> bytes:
        """The set of the resources of a level that meet all of these conditions."""
        plan = Plan()
        self._apply(FindQuery(level=level), plan, indexed)
        candidates = plan.candidates
        if candidates is None:
            candidates = self._facts.view.listing_packed(level)
        return passing(self._facts, level, candidates, plan.filters) if plan.filters else candidates

    def _joined(self, level: Level, indexed: list[_Indexed]) -> list[_Indexed | _Joined]:
        above = [each for each in indexed if each.home < level]
        if len(above) < 2:
            return list(indexed)
        return [*(each for each in indexed if each.home >= level), _Joined(above, self)]

    def _apply(self, query: FindQuery, plan: Plan, indexed: list[_Indexed]) -> None:
        level, search, totals = query.level, self._search, self._totals
        conditions = self._joined(level, indexed)
        everything = max(1, totals.resources[level])
        direct = [each for each in conditions if not each.walks]
        estimates = {id(each): each.estimate(search, level, totals) for each in direct}
        direct.sort(key=lambda each: estimates[id(each)])
        for each in direct + [each for each in conditions if each.walks]:
            if plan.candidates == b"":
                return
            left = everything if plan.size is None else plan.size
            if each.walks:
                if left * _PER_TEST < totals.resources[each.home] * _PER_KEY / 10:
                    plan.filters.append(each.keep)
                    continue
                if self._hasty:
                    plan.filters.append(each.keep)
                    plan.is_hasty = True
                    continue
                estimate = each.estimate(search, level, totals)
            else:
                estimate = estimates[id(each)]
            to_test = self._tests_until_full(query, plan, left, estimate / everything)
            if to_test * _PER_TEST < estimate * _PER_MEMBER:
                plan.filters.append(each.keep)
            else:
                plan.narrow(each.members(search, level, self._facts))

    def _tests_until_full(self, query: FindQuery, plan: Plan, left: int, fraction: float) -> float:
        """About how many resources are tested until the page is full, if a condition that the
        `fraction` of them meets is tested and not made a set."""
        if not query.limit or query.order or plan.tests or fraction <= 0:
            return left
        return min(left, (query.since + query.limit) / fraction)


def kept(
    facts: Facts, resources: Sequence[Resource], filters: Iterable[Filter]
) -> Sequence[Resource]:
    """Those of the resources that pass all filters."""
    for each in filters:
        if not resources:
            break
        resources = each(facts, resources)
    return resources


def passing(facts: Facts, level: Level, packed: bytes, filters: Sequence[Filter]) -> bytes:
    """The members of a set that pass all filters, packed."""
    return b"".join(
        resource.public
        for part in records(facts.view, level, packed)
        for resource in kept(facts, part, filters)
    )


def _tag_filter(tag: int, home: Level, matcher: Matcher) -> Filter:
    def matches(facts: Facts, resource: Resource) -> bool:
        value = facts.main_tag(resource, home, tag)
        if value is None:
            return matcher.finds_absent
        return matcher.matches(value)

    def keep(facts: Facts, resources: Sequence[Resource]) -> Sequence[Resource]:
        facts.load_ancestors(resources, home)
        return [each for each in resources if matches(facts, each)]

    return keep


def _child_filter(tag: int, home: Level, matcher: Matcher) -> Filter:
    """Some child matches."""

    def keep(facts: Facts, resources: Sequence[Resource]) -> Sequence[Resource]:
        passed = matching_children(facts.view, resources, home, tag, matcher)
        return [each for each in resources if each.id in passed]

    return keep


def _sequence_filter(tag: int, home: Level, matcher: InSequence) -> Filter:
    """Some item of a sequence that is a main tag matches; below, that of some child."""

    def matches(holder: Resource | None) -> bool:
        return holder is not None and matcher.meets(main_sequence(holder, tag))

    def keep(facts: Facts, resources: Sequence[Resource]) -> Sequence[Resource]:
        if resources[0].level < home:
            found = found_below(facts.view, resources, home, lambda each: matches(each) or None)
            return [each for each in resources if each.id in found]
        facts.load_ancestors(resources, home)
        return [each for each in resources if matches(facts.at_level(each, home))]

    return keep


def _modalities(matcher: Matcher) -> _Indexed:
    """ModalitiesInStudy: some series has one of the modalities."""
    by_child = _child_filter(MODALITY, Level.SERIES, matcher)
    return _Indexed(Kind.OF_CHILD, Level.STUDY, MODALITY, matcher, by_child, by_child)


def _metadata_filter(number: int, matcher: Matcher) -> Filter:
    def matches(facts: Facts, resource: Resource) -> bool:
        value = facts.metadata(resource, number)
        return value is not None and matcher.matches(value)

    return lambda facts, resources: [each for each in resources if matches(facts, each)]


def _computed_filter(tag: int, matcher: Matcher) -> Filter:
    def keep(facts: Facts, resources: Sequence[Resource]) -> Sequence[Resource]:
        values = computed_values(facts.view, resources, tag)
        return [
            resource
            for resource, value in zip(resources, values, strict=True)
            if value is not None and matcher.exact(value)
        ]

    return keep


def _class_filter(matcher: Matcher) -> Filter:
    def matches(resource: Resource) -> bool:
        value = resource.metadata.get(SOP_CLASS_UID)
        return value is not None and matcher.exact(value)

    return lambda _, resources: [each for each in resources if matches(each)]
