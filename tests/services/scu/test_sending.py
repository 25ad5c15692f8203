"""C-STORE SCU against receivers that take what they like, or do as they should not."""

import threading
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from support.encoded import EXPLICIT, IMPLICIT, element, file_of, fragments, padded
from support.files import file_named
from support.sink import Misbehaviour, Sink, Taken, only
from support.small_sender import SmallSender, ct
from support.small_store import USER

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.part10 import open_meta
from orthanc_fast.errors import (
    InternalError,
    NetworkProtocol,
    NoPresentationContext,
    OrthancError,
    UnknownResource,
)
from orthanc_fast.model import Level
from orthanc_fast.services.retention.deletion import Deletion
from orthanc_fast.services.scu.associating import DimseFailure
from orthanc_fast.services.transcoding.transcode import transcode
from orthanc_fast.transfer_syntaxes import (
    DEFLATED,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    JPEG_BASELINE,
    JPEG_LOSSLESS_SV1,
    JPEG_LS_LOSSLESS,
    RLE,
)
from orthanc_fast.upper_layer.association import Association
from orthanc_fast.upper_layer.negotiation import Agreement

pytestmark = pytest.mark.usefixtures("nothing_is_left")


def data_set(file: bytes) -> bytes:
    return bytes(file[open_meta(file).start :])


@pytest.mark.parametrize(
    "syntax", [EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED, RLE, JPEG_LOSSLESS_SV1]
)
def test_what_is_taken_as_it_is_stored_is_sent_as_it_is_stored(
    sender: SmallSender, syntax: str
) -> None:
    file = ct(1, syntax)
    with Sink(keeps_data=True) as sink:
        assert sender.send(sink.port, sender.put(file)) == [0]
    (taken,) = sink.taken
    assert taken.transfer_syntax == syntax
    assert taken.data == data_set(file)
    assert sink.ends == ["release"]


@pytest.mark.parametrize("order", [(None, RLE, JPEG_LS_LOSSLESS), (RLE, None, JPEG_LS_LOSSLESS)])
def test_the_order_of_the_instances_does_not_matter(
    sender: SmallSender, order: tuple[str | None, ...]
) -> None:
    instances = sender.put(*(ct(number, syntax) for number, syntax in enumerate(order)))
    with Sink() as sink:
        sender.send(sink.port, instances)
    assert [each.transfer_syntax for each in sink.taken] == [
        syntax or EXPLICIT_LITTLE for syntax in order
    ]
    assert len(sink.requests) == 1


def test_compressed_attachments(tmp_path: Path) -> None:
    file = ct(1)
    with SmallSender(tmp_path, storage_compression=True) as sender, Sink(keeps_data=True) as sink:
        instances = sender.put(file)
        attachment = next(iter(instances)).file
        assert attachment is not None and attachment.compressed
        assert sender.send(sink.port, instances) == [0]
    assert sink.taken[0].data == data_set(file)


def test_transcoding_where_there_is_no_other_way(sender: SmallSender) -> None:
    files = [ct(number, JPEG_LS_LOSSLESS) for number in range(20)]
    with Sink(only(IMPLICIT_LITTLE), keeps_data=True) as sink:
        assert sender.send(sink.port, sender.put(*files)) == 20 * [0]
    assert [each.sop_instance[-4:] for each in sink.taken] == [f"{n:04d}" for n in range(20)]
    dictionary = Dictionary({}, False)
    for file, taken in zip(files, sink.taken, strict=True):
        assert taken.transfer_syntax == IMPLICIT_LITTLE
        expected = transcode(file, IMPLICIT_LITTLE, 90, dictionary).data
        assert taken.data == data_set(expected)


def test_with_loss_the_instance_becomes_another_one(sender: SmallSender) -> None:
    color = file_named("SC_rgb.dcm").read_bytes()
    sender.senders._preferred = JPEG_BASELINE
    with Sink(only(JPEG_BASELINE), keeps_data=True) as sink:
        assert sender.send(sink.port, sender.put(color)) == [0]
    (taken,) = sink.taken
    old = pydicom.dcmread(file_named("SC_rgb.dcm"), stop_before_pixels=True)
    assert taken.sop_instance != old.SOPInstanceUID
    assert taken.sop_instance.encode() in taken.data
    assert taken.transfer_syntax == JPEG_BASELINE


def test_the_next_syntax_if_the_preferred_one_cannot_be_made(sender: SmallSender) -> None:
    sender.senders._preferred = "1.2.840.10008.1.2.4.100"
    with Sink(only("1.2.840.10008.1.2.4.100", IMPLICIT_LITTLE)) as sink:
        assert sender.send(sink.port, sender.put(ct(1))) == [0]
    assert sink.taken[0].transfer_syntax == IMPLICIT_LITTLE


def test_what_cannot_be_transcoded_says_so_and_others_go_on(sender: SmallSender) -> None:
    mpeg = "1.2.840.10008.1.2.4.100"
    video = file_of(announced=mpeg, tail=fragments(b"", b"\0\0"))
    instances = sender.put(video, ct(1))
    with Sink(only(IMPLICIT_LITTLE)) as sink, sender.open(sink.port, [instances]) as sending:
        first, second = instances
        with pytest.raises(InternalError, match="Cannot transcode instance of SOPClassUID"):
            sending.send(first)
        assert sending.send(second) == 0
    assert len(sink.requests) == 1


def test_a_syntax_that_nobody_knows_is_the_encoding_of_the_data_set(sender: SmallSender) -> None:
    files = [file_of(announced="1.2.3.4.5", syntax=syntax) for syntax in (IMPLICIT, EXPLICIT)]
    with Sink(keeps_data=True) as sink:
        assert sender.send(sink.port, sender.put(*files)) == [0, 0]
    assert [each.transfer_syntax for each in sink.taken] == [IMPLICIT_LITTLE, EXPLICIT_LITTLE]
    assert [each.data for each in sink.taken] == [data_set(each) for each in files]


def test_a_file_without_sop_class(sender: SmallSender) -> None:
    its_class = element(0x00080016, "UI", padded("UI", b"1.2.840.10008.5.1.4.1.1.7"))
    with Sink() as sink, pytest.raises(OrthancError, match="the SOP class/instance") as caught:
        sender.send(sink.port, sender.put(file_of().replace(its_class, b"")))
    assert caught.value.code == 2014


def test_originator_and_message_numbers(sender: SmallSender) -> None:
    instances = sender.put(ct(1), ct(2))
    with Sink() as sink, sender.open(sink.port, [instances]) as sending:
        first, second = instances
        sending.send(first, ("MOVER", 7))
        sending.send(second)
    one, other = (each.command for each in sink.taken)
    assert (one[0x00001030].strip(b" \0"), one[0x00001031]) == (b"MOVER", b"\x07\0")
    assert 0x00001030 not in other
    assert (one[0x00000110], other[0x00000110]) == (b"\x01\0", b"\x02\0")
    assert one[0x00000700] == b"\0\0"  # medium


@pytest.mark.parametrize("status", [0xB000, 0xB006, 0xB007, 0x0111])
def test_statuses_of_success(sender: SmallSender, status: int) -> None:
    with Sink(status=lambda taken: status) as sink:
        assert sender.send(sink.port, sender.put(ct(1))) == [status]


@pytest.mark.parametrize("status", [0xA700, 0xA900, 0xC123, 0x0110, 0x0122, 0xB001, 0xFF00, 0x1234])
def test_statuses_of_failure_leave_the_association(sender: SmallSender, status: int) -> None:
    instances = sender.put(ct(1), ct(2))
    with (
        Sink(status=lambda taken: 0 if taken.sop_instance.endswith("2") else status) as sink,
        sender.open(sink.port, [instances]) as sending,
    ):
        first, second = instances
        with pytest.raises(DimseFailure, match=f"DIMSE status 0x{status:04X}") as caught:
            sending.send(first)
        assert caught.value.status == status
        assert caught.value.payload == {
            "Content": {"DimseErrorStatus": status},
            "Type": "Dimse",
        }
        assert sending.send(second) == 0
    assert len(sink.requests) == 1


def _first(how: str) -> Callable[[Taken], int]:
    def status(taken: Taken) -> int:
        if taken.sop_instance.endswith("1"):
            raise Misbehaviour(how)
        return 0

    return status


FAULTS = {
    "abort": "Peer aborted Association",
    "close": "Peer aborted Association",
    "stall": "DIMSE No data available",
    "release": "DUL Peer Requested Release",
    "garbage": "DUL Illegal PDU",
    "echo": "DIMSE Unexpected",
    "half": "Peer aborted Association",
}


@pytest.mark.parametrize("how", FAULTS)
def test_after_a_broken_association_there_is_another_one(sender: SmallSender, how: str) -> None:
    instances = sender.put(ct(1), ct(2))
    with (
        Sink(status=_first(how)) as sink,
        sender.open(sink.port, [instances], timeout=1) as sending,
    ):
        first, second = instances
        with pytest.raises(NetworkProtocol, match=FAULTS[how]) as caught:
            sending.send(first)
        assert str(caught.value.details).startswith("DicomAssociation - ")
        assert sending.send(second) == 0
    assert len(sink.requests) == 2
    assert sink.ends[-1] == "release"


@pytest.mark.parametrize("leaves", [False, True])
def test_a_receiver_that_takes_no_data(sender: SmallSender, leaves: bool) -> None:
    """It stands still, or goes away in the middle of an instance."""
    large = sender.put(file_named("eCT_Supplemental.dcm").read_bytes(), ct(2))
    gone = threading.Event()

    class Stopping(Sink):
        def _answer_all(self, association: Association, agreement: Agreement) -> str:
            if len(self.requests) > 1:
                return super()._answer_all(association, agreement)
            if not leaves:
                gone.wait(20)
            return "stopped"

    with Stopping() as sink, sender.open(sink.port, [large], timeout=1) as sending:
        first, second = large
        with pytest.raises(NetworkProtocol, match="DicomAssociation - C-STORE to AET"):
            sending.send(first)
        assert sending.send(second) == 0
        gone.set()


def test_a_receiver_of_tiny_pdus(sender: SmallSender) -> None:
    with Sink(maximum_pdu=4) as sink, pytest.raises(NetworkProtocol, match="DUL Illegal PDU"):
        sender.send(sink.port, sender.put(ct(1)))


def test_nothing_of_the_class_is_taken(sender: SmallSender) -> None:
    color, gray = file_named("SC_rgb.dcm").read_bytes(), ct(1)
    instances = sender.put(color, gray)
    ct_class = next(iter(sender.put(ct(2)))).sop_class
    with (
        Sink(lambda sop_class, syntaxes: syntaxes[0] if sop_class == ct_class else None) as sink,
        sender.open(sink.port, [instances]) as sending,
    ):
        first, second = instances
        with pytest.raises(NoPresentationContext, match='with AET "SINK"'):
            sending.send(first)
        assert sending.send(second) == 0
    assert len(sink.requests) == 1


@pytest.mark.parametrize(
    ("sink", "error"),
    [
        (Sink(rejects=True), NetworkProtocol),
        (Sink(lambda sop_class, syntaxes: None), NoPresentationContext),
    ],
)
def test_no_association(sender: SmallSender, sink: Sink, error: type[OrthancError]) -> None:
    with sink, pytest.raises(error):
        sender.send(sink.port, sender.put(ct(1)))


def test_without_transcoding(sender: SmallSender) -> None:
    instances = sender.put(ct(1, RLE), ct(2))
    with (
        Sink(only(EXPLICIT_LITTLE)) as sink,
        sender.open(sink.port, [instances], may_transcode=False) as sending,
    ):
        first, second = instances
        with pytest.raises(NetworkProtocol, match=rf"transfer syntax \[{RLE}\]"):
            sending.send(first)
        assert sending.send(second) == 0
    assert [each.transfer_syntax for each in sink.taken] == [EXPLICIT_LITTLE]


def test_more_classes_than_an_association_has_contexts(sender: SmallSender) -> None:
    files = [
        file_of((0x00080016, "UI", f"1.2.826.0.1.{number}".encode()), announced=RLE)
        for number in range(100)
    ]
    instances = sender.put(*files)
    with Sink() as sink:
        assert sender.send(sink.port, instances) == 100 * [0]
    assert [len(each.proposals) for each in sink.requests] == [126, 126, 126]
    assert sink.ends == 3 * ["release"]
    assert {each.transfer_syntax for each in sink.taken} == {RLE}


def test_an_instance_that_is_deleted_meanwhile(sender: SmallSender) -> None:
    instances = sender.put(ct(1), ct(2))
    with Sink() as sink, sender.open(sink.port, [instances]) as sending:
        gone = next(iter(instances)).public
        sender.store.run(Deletion(sender.store.writes).delete(USER, Level.INSTANCE, gone))
        first, second = instances
        with pytest.raises(UnknownResource):
            sending.send(first)
        assert sending.send(second) == 0
