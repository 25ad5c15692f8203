"""Who may associate, for what, and in which syntax. Reference chapter 4, sections 1.1 to 1.5."""

from typing import Any

import pytest
from support.dicom_peer import CT, EXPLICIT, IMPLICIT, VERIFICATION, associate_rq

from orthanc_fast import implementation
from orthanc_fast._ext.pdata import PduError
from orthanc_fast.config import ConfigError, Settings
from orthanc_fast.network.admission import Admission
from orthanc_fast.network.negotiation import Negotiator
from orthanc_fast.network.options import DicomOptions, dicom_options
from orthanc_fast.services.scp import sop_classes
from orthanc_fast.services.scp import transfer_syntaxes as syntaxes
from orthanc_fast.services.scp.policy import ScpPolicy
from orthanc_fast.upper_layer.negotiation import Agreement, Rejection
from orthanc_fast.upper_layer.pdu import Answer, Role, decode_request, encode_accept

BIG = "1.2.840.10008.1.2.2"
JPEG = "1.2.840.10008.1.2.4.50"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
WORKLIST = "1.2.840.10008.5.1.4.31"
COMMITMENT = "1.2.840.10008.1.20.1"
QUERY_RETRIEVE = [
    f"1.2.840.10008.5.1.4.1.2.{model}.{verb}" for model in (1, 2) for verb in (1, 2, 3)
]
PRINT = "1.2.840.10008.5.1.1.9"
PRIVATE = "1.3.9999.1.2"

NOTHING_ALLOWED = {
    f"DicomAlwaysAllow{right}": False
    for right in ("Echo", "Find", "FindWorklist", "Get", "Move", "Store")
}


def options(aet: str = "ORTHANC", **raw: Any) -> DicomOptions:
    return dicom_options(Settings(dicom_aet=aet, raw=raw))


def admission(given: DicomOptions) -> Admission:
    return Admission(given, lambda: given.modalities)


def negotiate(
    pdu: bytes, ip: str = "10.0.0.1", handled: tuple[str, ...] = (), **raw: Any
) -> Agreement | Rejection:
    given = options(**raw)
    negotiator = Negotiator(ScpPolicy(raw), admission(given), handled)
    return negotiator.negotiate(decode_request(pdu), ip)


def answer(
    uid: str, *proposed: str, handled: tuple[str, ...] = (), **raw: Any
) -> tuple[int, str | None]:
    """(result, chosen syntax) for one presentation context."""
    agreement = negotiate(associate_rq(((uid, proposed),)), handled=handled, **raw)
    assert isinstance(agreement, Agreement)
    found = agreement.answers[0]
    return found.result, None if found.result else found.transfer_syntax


def test_storage_classes_follow_the_requestors_order() -> None:
    assert answer(CT, IMPLICIT, EXPLICIT) == (0, IMPLICIT)
    assert answer(CT, JPEG, EXPLICIT) == (0, JPEG)


def test_other_classes_follow_our_order() -> None:
    assert answer(VERIFICATION, IMPLICIT, BIG, EXPLICIT) == (0, EXPLICIT)
    assert answer(FIND, IMPLICIT, BIG, handled=(FIND,)) == (0, BIG)


def test_what_is_refused_has_orthancs_result() -> None:
    assert answer(CT, "1.2.3") == (3, None)
    assert answer(VERIFICATION, JPEG) == (4, None)
    for uid in (PRINT, PRIVATE):
        assert answer(uid, EXPLICIT) == (3, None)


@pytest.mark.parametrize("unknown_accepted", [False, True])
def test_what_nobody_handles_is_refused(unknown_accepted: bool) -> None:
    """A peer whose context is accepted expects answers; its tools report success without."""
    for uid in (*QUERY_RETRIEVE, WORKLIST, COMMITMENT):
        raw: dict[str, Any] = {"UnknownSopClassAccepted": unknown_accepted}
        assert answer(uid, IMPLICIT, **raw) == (3, None)
        assert answer(uid, IMPLICIT, handled=(uid,), **raw) == (0, IMPLICIT)


def test_mime_and_xml_are_listed_and_never_negotiated() -> None:
    assert "1.2.840.10008.1.2.6.1" in syntaxes.accepted(None, {})
    assert answer(CT, "1.2.840.10008.1.2.6.1") == (3, None)


def test_unknown_classes_where_they_are_accepted() -> None:
    assert answer(PRIVATE, IMPLICIT, EXPLICIT, UnknownSopClassAccepted=True) == (0, EXPLICIT)
    assert answer(PRIVATE, JPEG, UnknownSopClassAccepted=True) == (0, JPEG)
    assert answer(PRIVATE, "1.2.3", UnknownSopClassAccepted=True) == (4, None)
    assert answer(PRINT, EXPLICIT, UnknownSopClassAccepted=True) == (3, None)


@pytest.mark.parametrize(
    ("raw", "uid", "accepted"),
    [
        ({"AcceptedTransferSyntaxes": EXPLICIT}, JPEG, False),
        ({"AcceptedTransferSyntaxes": ["1.2.840.10008.1.2.4.*"]}, JPEG, True),
        ({"AcceptedTransferSyntaxes": ["1.2.840.10008.1.2.4.?0"]}, JPEG, True),
        ({"AcceptedTransferSyntaxes": [], "JpegTransferSyntaxAccepted": True}, JPEG, True),
        ({"JpegTransferSyntaxAccepted": False}, JPEG, False),
        ({"JpegTransferSyntaxAccepted": False}, EXPLICIT, True),
        ({"JpegLosslessTransferSyntaxAccepted": False}, "1.2.840.10008.1.2.4.80", False),
        ({"JpegLosslessTransferSyntaxAccepted": False}, "1.2.840.10008.1.2.4.70", True),
        ({"Jpeg2000TransferSyntaxAccepted": False}, "1.2.840.10008.1.2.4.90", False),
        ({"JpipTransferSyntaxAccepted": False}, "1.2.840.10008.1.2.4.94", False),
        ({"Mpeg2TransferSyntaxAccepted": False}, "1.2.840.10008.1.2.4.101", False),
        ({"Mpeg4TransferSyntaxAccepted": False}, "1.2.840.10008.1.2.4.104", False),
        ({"H265TransferSyntaxAccepted": False}, "1.2.840.10008.1.2.4.108", False),
        ({"RleTransferSyntaxAccepted": False}, "1.2.840.10008.1.2.5", False),
        ({"DeflatedTransferSyntaxAccepted": False}, "1.2.840.10008.1.2.1.99", False),
    ],
)
def test_transfer_syntax_options(raw: dict[str, Any], uid: str, accepted: bool) -> None:
    assert answer(CT, uid, **raw) == ((0, uid) if accepted else (3, None))


def test_sop_class_options() -> None:
    assert len(sop_classes.STORAGE) == len(set(sop_classes.STORAGE)) == 202
    assert len(syntaxes.KNOWN) == len(set(syntaxes.KNOWN)) == 48
    assert answer(CT, EXPLICIT, RejectedSopClasses=[CT]) == (3, None)
    assert answer(CT, EXPLICIT, RejectSopClasses=["1.2.840.10008.5.1.4.1.1.*"]) == (3, None)
    assert answer(PRIVATE, EXPLICIT, AcceptedSopClasses=[PRIVATE]) == (0, EXPLICIT)
    assert answer(CT, EXPLICIT, AcceptedSopClasses=[PRIVATE]) == (3, None)
    assert answer(CT, EXPLICIT, AcceptedSopClasses=["1.2.840.10008.5.1.4.1.1.?"]) == (0, EXPLICIT)


def test_roles_are_accepted_as_proposed_for_storage_and_commitment() -> None:
    wanted = ((CT, False, True), (COMMITMENT, True, True), (FIND, True, True))
    contexts = tuple((uid, (EXPLICIT,)) for uid, _, _ in wanted)
    agreement = negotiate(associate_rq(contexts, roles=wanted), handled=(COMMITMENT, FIND))
    assert isinstance(agreement, Agreement)
    assert [(r.sop_class, r.scu, r.scp) for r in agreement.roles] == list(wanted[:2])


@pytest.mark.parametrize(
    ("proposed", "answered", "window"),
    [(None, None, 1), ((1, 1), (1, 1), 1), ((8, 1), (8, 1), 8), ((0, 0), (32, 1), 32)],
)
def test_asynchronous_operations(
    proposed: tuple[int, int] | None, answered: tuple[int, int] | None, window: int
) -> None:
    agreement = negotiate(associate_rq(window=proposed))
    assert isinstance(agreement, Agreement)
    assert (agreement.operations, agreement.window) == (answered, window)


def rejected(pdu: bytes, **raw: Any) -> tuple[int, int, int] | None:
    found = negotiate(pdu, **raw)
    return found.code if isinstance(found, Rejection) else None


def test_application_entity_titles() -> None:
    pdu = associate_rq(calling="PEER", called="orthanc")
    assert rejected(pdu) is None
    assert rejected(pdu, DicomCheckCalledAet=True) is None
    assert rejected(pdu, DicomCheckCalledAet=True, StrictAetComparison=True) == (1, 1, 7)
    other = associate_rq(called="OTHER")
    assert rejected(other) is None
    assert rejected(other, DicomCheckCalledAet=True) == (1, 1, 7)
    # the called title is looked at before the calling one
    assert rejected(other, DicomCheckCalledAet=True, **NOTHING_ALLOWED) == (1, 1, 7)
    assert rejected(pdu, **NOTHING_ALLOWED) == (1, 1, 3)


@pytest.mark.parametrize(
    "padded",
    [
        b"PEER".ljust(16, b"\0"),
        b"PEER \0 \0".ljust(16, b"\0"),
        b"  PEER\0rest of".ljust(16),
        b"PEER".rjust(16),
    ],
)
def test_titles_end_at_a_nul_and_have_no_blanks_around(padded: bytes) -> None:
    pdu = associate_rq(called="PEER")
    for at in (10, 26):
        agreement = negotiate(pdu[:at] + padded + pdu[at + 16 :], DicomAet="PEER")
        assert isinstance(agreement, Agreement)
        assert (agreement.called, agreement.calling) == ("PEER", "PEER")


@pytest.mark.parametrize("padding", [b"\0", b" ", b"\0\0", b" \0", b"\0x"])
def test_padded_uids_are_read_as_if_they_were_not(padding: bytes) -> None:
    """In every item of the PDU, at even and odd lengths."""
    pdu = associate_rq(((CT, (EXPLICIT,)),), roles=((CT, True, False),))
    request = decode_request(pdu)
    kinds = (b"\x10\0", b"\x30\0", b"\x40\0")
    for kind, uid in zip(kinds, (request.application_context, CT, EXPLICIT), strict=True):
        raw = uid.encode()
        item = kind + len(raw).to_bytes(2) + raw
        longer = kind + len(raw + padding).to_bytes(2) + raw + padding
        changed = pdu.replace(item, longer)
        if kind != b"\x10\0":  # the item around it grows as well
            at = changed.index(b"\x20\0", 74)
            size = int.from_bytes(changed[at + 2 : at + 4]) + len(padding)
            changed = changed[: at + 2] + size.to_bytes(2) + changed[at + 4 :]
        assert len(changed) == len(pdu) + len(padding)
        assert decode_request(changed) == request


@pytest.mark.parametrize("bad", [b" " * 16, b"A\\B".ljust(16), b"A\x07B".ljust(16), bytes(16)])
def test_unusable_titles_are_rejected(bad: bytes) -> None:
    pdu = bytearray(associate_rq())
    assert rejected(bytes(pdu[:26] + bad + pdu[42:])) == (1, 1, 3)
    assert rejected(bytes(pdu[:10] + bad + pdu[26:])) == (1, 1, 7)


def test_application_context() -> None:
    pdu = associate_rq().replace(b"1.2.840.10008.3.1.1.1", b"1.2.840.10008.3.1.1.2")
    assert rejected(pdu) == (1, 1, 2)


def test_known_modalities_may_associate_where_nothing_is_allowed_to_all() -> None:
    known = {**NOTHING_ALLOWED, "DicomModalities": {"ct": ["PEER", "10.0.0.9", 104]}}
    assert rejected(associate_rq(calling="peer"), **known) is None
    assert rejected(associate_rq(calling="peer"), StrictAetComparison=True, **known) == (1, 1, 3)
    assert rejected(associate_rq(calling="OTHER"), **known) == (1, 1, 3)
    assert rejected(associate_rq(), DicomCheckModalityHost=True, **known) == (1, 1, 3)
    # only the first entry, by name, counts here
    two = {"b": ["PEER", "10.0.0.1", 104], "a": ["PEER", "10.0.0.9", 104]}
    again = {**known, "DicomModalities": two, "DicomCheckModalityHost": True}
    assert rejected(associate_rq(), **again) == (1, 1, 3)
    two["a"], two["b"] = two["b"], two["a"]
    assert rejected(associate_rq(), **again) is None


def modality(host: str, **flags: bool) -> dict[str, Any]:
    return {"AET": "PEER", "Host": host, "Port": 104, **flags}


@pytest.mark.parametrize(
    ("modalities", "check_host", "allowed"),
    [
        ([], False, False),
        ([modality("h")], False, True),
        ([modality("h", AllowFind=False)], False, False),
        ([modality("h")], True, False),
        ([modality("10.0.0.1")], True, True),
        ([modality("h"), modality("i", AllowFind=False)], False, False),
        ([modality("h"), modality("i")], False, True),
        ([modality("h"), modality("10.0.0.1")], True, True),
        ([modality("h"), modality("10.0.0.1", AllowFind=False)], True, False),
    ],
)
def test_permission_per_request(
    modalities: list[dict[str, Any]], check_host: bool, allowed: bool
) -> None:
    named = {f"m{number}": entry for number, entry in enumerate(modalities)}
    given = options(DicomModalities=named, DicomCheckModalityHost=check_host)
    assert admission(given).may("Find", "PEER", "10.0.0.1") is allowed
    assert admission(given).may("Store", "PEER", "10.0.0.1")
    given = options(DicomAlwaysAllowFind=True)
    assert admission(given).may("Find", "ANYBODY", "10.0.0.1")


@pytest.mark.parametrize("aet", ["", "SEVENTEEN_LETTERS", "A\\B", "A\tB"])
def test_an_unusable_own_title_stops_the_start(aet: str) -> None:
    with pytest.raises(ConfigError, match="DicomAet"):
        options(aet)


@pytest.mark.parametrize("size", [1, 4095, 131073])
def test_a_pdu_length_out_of_range_stops_the_start(size: int) -> None:
    with pytest.raises(ConfigError, match="MaximumPduLength"):
        options(MaximumPduLength=size)


def test_the_largest_pdu_length_is_the_default_and_a_configured_one_is_obeyed() -> None:
    assert options().maximum_pdu == 131072
    assert options(MaximumPduLength=16384).maximum_pdu == 16384


@pytest.mark.parametrize("entry", [["PEER", "h"], {"AET": "PEER", "Host": "h"}, "PEER", 3])
def test_a_broken_modality_stops_the_start(entry: Any) -> None:
    with pytest.raises(ConfigError, match="DicomModalities: x"):
        options(DicomModalities={"x": entry})


def test_requests_cut_or_changed_anywhere_are_read_or_refused() -> None:
    pdu = associate_rq(window=(3, 3), roles=((CT, True, True),))
    refused = 0
    for at in range(len(pdu)):
        for changed in (pdu[:at], pdu[:at] + bytes((pdu[at] ^ 0xFF,)) + pdu[at + 1 :]):
            try:
                decode_request(changed)
            except PduError:
                refused += 1
    assert refused > len(pdu) // 2


def test_even_and_repeated_context_numbers_are_refused() -> None:
    pdu = associate_rq(((CT, (EXPLICIT,)), (VERIFICATION, (EXPLICIT,))))
    first = pdu.index(b"\x20\0", 74)
    assert pdu[first + 4] == 1
    for number in (2, 3):
        with pytest.raises(PduError):
            decode_request(pdu[: first + 4] + bytes((number,)) + pdu[first + 5 :])


def test_an_accept_is_what_pynetdicom_reads() -> None:
    from pynetdicom.pdu import A_ASSOCIATE_AC

    request = decode_request(associate_rq(calling="ME", called="YOU"))
    answers = [Answer(1, 0, VERIFICATION, EXPLICIT), Answer(3, 4, CT, IMPLICIT)]
    roles = [Role(CT, False, True)]
    pdu = A_ASSOCIATE_AC()
    encoded = encode_accept(request, answers, 131072, roles, (5, 1))
    pdu.decode(encoded)
    assert encoded[10:42] == b"YOU".ljust(16) + b"ME".ljust(16)
    primitive = pdu.to_primitive()
    results = primitive.presentation_context_definition_results_list
    assert [(each.context_id, each.result) for each in results] == [(1, 0), (3, 4)]
    assert results[0].transfer_syntax == [EXPLICIT]
    kinds: dict[str, Any] = {type(item).__name__: item for item in primitive.user_information}
    assert kinds["MaximumLengthNotification"].maximum_length_received == 131072
    window = kinds["AsynchronousOperationsWindowNegotiation"]
    assert window.maximum_number_operations_invoked == 5
    role = kinds["SCP_SCU_RoleSelectionNegotiation"]
    assert (role.sop_class_uid, role.scu_role, role.scp_role) == (CT, False, True)
    assert kinds["ImplementationClassUIDNotification"].implementation_class_uid == (
        implementation.CLASS_UID
    )
