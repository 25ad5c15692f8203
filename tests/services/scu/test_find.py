"""C-FIND as SCU: where answers end, and what is read of them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support import evil_acceptor as evil
from support.dicom_peer import EXPLICIT
from support.encoded import element, item

from orthanc_fast.config import Settings
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.part10 import DicomFile
from orthanc_fast.errors import NetworkProtocol
from orthanc_fast.services.exchange.modalities import Modality
from orthanc_fast.services.scp.sop_classes import STUDY_ROOT_FIND
from orthanc_fast.services.scu.answers import AnswerReader
from orthanc_fast.services.scu.associating import Associations
from orthanc_fast.services.scu.find import EVERY_CLASS, FindAssociation, opened
from orthanc_fast.services.scu.identifiers import Identifier
from orthanc_fast.upper_layer.failures import RequestFailed

ANSWER = element(0x00100020, "LO", b"PATIENT1")
DICTIONARY = Dictionary()
IDENTIFIER = Identifier({0x00080052: "STUDY"}, DICTIONARY, "Latin1")


@contextmanager
def endless(stop: threading.Event, largest: int) -> Iterator[tuple[FindAssociation, list[bytes]]]:
    """An association with a peer whose answers never end, and what it has received at last."""
    received: list[bytes] = []

    def script(conversation: evil.Conversation) -> None:
        conversation.accept()
        number = int.from_bytes(conversation.command()[0x00000110], "little")
        proposals = conversation.requested.proposals
        context = next(each.number for each in proposals if each.abstract_syntax == STUDY_ROOT_FIND)
        head = evil.response(0x8020, number, 0xFF00, STUDY_ROOT_FIND, True)
        answer = evil.message(context, head, ANSWER)
        try:
            while True:
                conversation.send(answer)
        finally:
            received.append(b"")

    with evil.acceptor(script) as port:
        associations = Associations(Settings())
        target = associations.target(Modality(aet="PEER", host="127.0.0.1", port=port, timeout=5))
        with opened(associations, target, EVERY_CLASS, stop, largest) as association:
            yield association, received


def test_answers_without_end_are_too_large() -> None:
    taken = 0
    with (
        pytest.raises(NetworkProtocol, match="take more than 1 MB"),
        endless(threading.Event(), 1 << 20) as (association, _),
    ):
        for _ in association.answers(STUDY_ROOT_FIND, IDENTIFIER.encoded):
            taken += 1
    assert taken == (1 << 20) // len(ANSWER)


def test_who_does_not_want_more_answers_breaks_the_association_off() -> None:
    stop = threading.Event()
    with (
        pytest.raises(NetworkProtocol, match="Nobody waits"),
        endless(stop, 1 << 20) as (association, _),
    ):
        for number, _ in enumerate(association.answers(STUDY_ROOT_FIND, IDENTIFIER.encoded)):
            if number == 10:
                stop.set()
            assert number <= 10
    with endless(threading.Event(), 1 << 20) as (association, received):
        next(association.answers(STUDY_ROOT_FIND, IDENTIFIER.encoded))
    assert received  # the peer could not go on


def answer(*elements: tuple[int, str, bytes]) -> DicomFile:
    data = b"".join(
        element(tag, vr, value + b" " * (len(value) % 2)) for tag, vr, value in elements
    )
    return DicomFile(data, 0, True, False, [], EXPLICIT, False)


def reader(name: str = "Latin1") -> AnswerReader:
    return AnswerReader(DICTIONARY, lambda: name)


NAMES = {
    b"ISO_IR 192": ("日本é", "utf-8"),
    b"ISO_IR 144": ("Люк", "iso8859-5"),
    b"GB18030": ("王", "gb18030"),
    b"\\ISO 2022 IR 87": ("Yamada=山田", "iso2022_jp"),
    b"": ("Müller", "latin-1"),
}


@pytest.mark.parametrize("term", NAMES)
def test_names_are_shown_whatever_they_are_written_in(term: bytes) -> None:
    """Orthanc shows what its own character set has."""
    name, codec = NAMES[term]
    found = answer((0x00080005, "CS", term), (0x00100010, "PN", name.encode(codec)))
    assert reader().summary(found, "STUDY") == {
        0x00080005: "ISO_IR 100",
        0x00080052: "STUDY",
        0x00100010: name,
    }
    shown = {"SpecificCharacterSet": "ISO_IR 100", "PatientName": name}
    assert reader().worklist_item(found, "simplify") == shown


def test_a_character_set_without_a_term() -> None:
    found = answer((0x00080005, "CS", b"ISO_IR 144"))
    assert reader("Windows1251").summary(found, "STUDY")[0x00080005] == "ISO_IR 144"


def test_numbers_that_may_have_two_representations() -> None:
    """Orthanc loses them."""
    found = answer((0x00280106, "SS", b"\xfb\xff"), (0x00280107, "US", b"\x01\x00\x02\x00"))
    summary = reader().summary(found, "IMAGE")
    assert summary[0x00280106] == "-5"
    assert summary[0x00280107] == "1\\2"


@pytest.mark.parametrize(
    "data",
    [b"\x10\x00", element(0x00100020, "LO", b"P", length=0x7F00), item(b"")[:6]],
)
def test_what_is_no_data_set(data: bytes) -> None:
    damaged = DicomFile(data, 0, True, False, [], EXPLICIT, False)
    with pytest.raises(RequestFailed, match="Failed to receive message"):
        reader().summary(damaged, "STUDY")
