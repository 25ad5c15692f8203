"""The presentation contexts of an association that sends, and which of them an instance takes.

All that is to be sent is known before, so each transfer syntax that occurs is proposed in a context
of its own, which a receiver accepts or not without regard to others: what it can take as it is
stored is sent as it is stored, in whatever order instances come. Source: reference chapter 4,
section 5.5; PS3.8 section 9.3.2.2.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from orthanc_fast.services.exchange.instances import Presentation
from orthanc_fast.transfer_syntaxes import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE
from orthanc_fast.upper_layer.pdu import Answer, Proposal

MAXIMUM: Final = 127  # contexts of one association, as Orthanc keeps to

# What anything may be brought into, in the order of preference.
_UNCOMPRESSED: Final = (EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG)


class Rules(msgspec.Struct, frozen=True):
    """Whether instances may be transcoded for a modality, and into what first of all."""

    may_transcode: bool
    preferred: str = EXPLICIT_LITTLE


class Context(msgspec.Struct, frozen=True):
    """Where an instance goes: the number of the presentation context, and its transfer syntax."""

    number: int
    transfer_syntax: str


def proposals(presentations: Iterable[Presentation], rules: Rules) -> list[Proposal]:
    """What is proposed for all of these. A SOP class that has no room any more is left out with
    those that follow it: the instances of these need another association."""
    syntaxes: dict[str, list[str]] = {}
    for sop_class, syntax in presentations:
        syntaxes.setdefault(sop_class, []).append(syntax)
    found: list[Proposal] = []
    for sop_class, sources in syntaxes.items():
        lists = _of_class(sources, rules)
        if len(found) + len(lists) > MAXIMUM:
            break
        for each in lists:
            found.append(Proposal(2 * len(found) + 1, sop_class, each))
    return found


def _of_class(sources: Sequence[str], rules: Rules) -> list[tuple[str, ...]]:
    """The transfer syntaxes of each context of one class."""
    preferred = rules.preferred if rules.may_transcode else EXPLICIT_LITTLE
    alone = list(dict.fromkeys([*sources, preferred]))
    rest = tuple(each for each in _UNCOMPRESSED if each not in alone)
    return [(each,) for each in alone] + ([rest] if rest else [])


class Accepted:
    """The contexts that the peer has accepted, by what they are for."""

    def __init__(self, contexts: Mapping[int, Answer], rules: Rules) -> None:
        self._rules = rules
        self._numbers: dict[Presentation, int] = {}
        self._classes: set[str] = set()
        for number, answer in sorted(contexts.items()):
            self._classes.add(answer.abstract_syntax)
            found = Presentation(answer.abstract_syntax, answer.transfer_syntax)
            self._numbers.setdefault(found, number)

    def has_class(self, sop_class: str) -> bool:
        """Whether there is any context for this SOP class."""
        return sop_class in self._classes

    def contexts(self, wanted: Presentation) -> list[Context]:
        """Where an instance may go, in the order of preference: as it is stored, and nowhere else
        if that is possible; else transcoded."""
        number = self._numbers.get(wanted)
        if number is not None:
            return [Context(number, wanted.transfer_syntax)]
        if not self._rules.may_transcode:
            return []
        targets = dict.fromkeys((self._rules.preferred, *_UNCOMPRESSED))
        found = (
            (self._numbers.get(Presentation(wanted.sop_class, each)), each) for each in targets
        )
        return [Context(number, syntax) for number, syntax in found if number is not None]
