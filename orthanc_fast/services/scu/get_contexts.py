"""The presentation contexts of an association for a C-GET: what the peer may send in it.

An acceptor takes one transfer syntax of each context, Orthanc and DCMTK an uncompressed one where
there is one. So compressed syntaxes stand in contexts of their own, as far as there is room: an
acceptor that has compressed instances sends them as they are. Source: reference chapter 4,
section 6; PS3.8 section 9.3.2.2.
"""

from collections.abc import Collection, Sequence
from typing import Final

from orthanc_fast.errors import NoPresentationContext
from orthanc_fast.services.scp.policy import ScpPolicy
from orthanc_fast.services.scp.sop_classes import expand_suffixes
from orthanc_fast.services.scp.transfer_syntaxes import negotiable
from orthanc_fast.transfer_syntaxes import EXPLICIT_LITTLE, IMPLICIT_LITTLE, SYNTAXES
from orthanc_fast.upper_layer.pdu import Proposal, Role

MOST_CLASSES: Final = 120  # as Orthanc
_CONTEXTS: Final = 128  # numbers from 1 to 255, the odd ones
_UNCOMPRESSED: Final = (EXPLICIT_LITTLE, IMPLICIT_LITTLE)

# Orthanc's 120, of the form 1.2.840.10008.5.1.4.1.1.x; those that are often compressed come first.
_SUFFIXES: Final = """
2 4 6.1 3.1 7 1.1 1.2 1 12.1 12.2 77.1.4 77.1.1 20 128
1.1.1 1.2.1 1.3 1.3.1 2.1 2.2 3 4.1-4.4 5 6 6.2 7.1-7.4 8 9 9.1.1-9.1.3 9.2.1 9.3.1 9.4.1 9.4.2
9.5.1 9.6.1 10 11 11.1-11.5 12.1.1 12.2.1 12.3 13.1.1-13.1.3 14.1 14.2 66 66.1-66.5 67 68.1 68.2
77.1 77.1.1.1 77.1.2 77.1.2.1 77.1.3 77.1.4.1 77.1.5.1-77.1.5.4 77.1.6 77.2 78.1-78.8 79.1 80.1
81.1 88.11 88.22 88.33 88.34 88.40 88.50 88.59 88.65 88.67 88.69 88.70 104.1 104.2 128.1 129 130
131 481.1-481.9
"""
COMMON_CLASSES: Final[tuple[str, ...]] = (
    *(f"1.2.840.10008.5.1.4.1.1.{suffix}" for suffix in expand_suffixes(_SUFFIXES)),
    "1.2.840.10008.5.1.1.27",
    "1.2.840.10008.5.1.1.29",
    "1.2.840.10008.5.1.1.30",
    "1.2.840.10008.5.1.4.34.7",
)

_OF_MODALITIES: Final = {
    modality: tuple(f"1.2.840.10008.5.1.4.1.1.{suffix}" for suffix in suffixes.split())
    for modality, suffixes in (
        *(("CT", "2 2.1"), ("MR", "4 4.1"), ("US", "6.1 3.1"), ("IVUS", "3.1"), ("CR", "1")),
        *(("DX", "1.1 1"), ("MG", "1.2 13.1.3"), ("IO", "1.3"), ("XA", "12.1"), ("RF", "12.2")),
        *(("PT", "128 130"), ("NM", "20"), ("OT", "7"), ("SC", "7"), ("XC", "77.1.4")),
        *(("ES", "77.1.1 77.1.1.1"), ("GM", "77.1.2"), ("SM", "77.1.6"), ("OP", "77.1.5.1")),
    )
}

# Those of scanners and archives first: they get a context of their own before the others.
_ORDER: Final = ("4.70", "4.90", "4.50", "4.80", "5", "4.91", "4.57", "4.51", "4.81", "4.201")
_FIRST: Final = tuple(f"1.2.840.10008.1.2.{suffix}" for suffix in _ORDER)


def classes_to_get(policy: ScpPolicy, in_study: Collection[str] = ()) -> list[str]:
    """The storage classes to be proposed. `in_study` are those that the peer has named for what is
    to be retrieved, if it has. Raises NoPresentationContext where none of them is accepted here."""
    if in_study:
        found = [each for each in in_study if each in policy.storage_classes]
        if not found:
            raise NoPresentationContext(
                "Cannot perform C-Get, no SOPClassUID have been accepted by Orthanc."
            )
    elif policy.configured_classes is not None:
        found = list(policy.configured_classes)
    else:
        found = [each for each in COMMON_CLASSES if each in policy.storage_classes]
    return found[:MOST_CLASSES]


def proposals(
    get_class: str,
    classes: Sequence[str],
    accepted: frozenset[str],
    modalities: Collection[str] = (),
) -> list[Proposal]:
    """The contexts of an association that asks for a C-GET: first that of the request, then those
    of the storage classes. `accepted` are the transfer syntaxes that this server takes. Each class
    has one context at least; what room is left goes to those of `modalities`, else to all."""
    likely = {each for modality in modalities for each in _OF_MODALITIES.get(modality, ())}
    favoured = [each for each in classes if each in likely] or classes
    share, more = divmod(_CONTEXTS - 1 - len(classes), max(len(favoured), 1))
    room = {each: share + (number < more) for number, each in enumerate(favoured)}
    found = [Proposal(1, get_class, _UNCOMPRESSED)]
    for sop_class in classes:
        for syntaxes in _of_class(1 + room.get(sop_class, 0), accepted):
            found.append(Proposal(2 * len(found) + 1, sop_class, syntaxes))
    return found


def roles(classes: Sequence[str]) -> list[Role]:
    """We are SCP of these classes, and not SCU."""
    return [Role(each, scu=False, scp=True) for each in classes]


def _of_class(room: int, accepted: frozenset[str]) -> list[tuple[str, ...]]:
    """The transfer syntaxes of each of `room` contexts, or fewer."""
    usable = negotiable(accepted)
    uncompressed = tuple(each for each in _UNCOMPRESSED if each in usable)
    known = dict.fromkeys((*_FIRST, *SYNTAXES))
    others = [each for each in known if each in usable and each not in uncompressed]
    alone = max(room - 2, 0)
    lists = [uncompressed, *((each,) for each in others[:alone])]
    if room > 1:
        lists.append(tuple(others[alone:]))
    return [each for each in lists if each]
