"""What is proposed for a C-GET."""

import pytest

from orthanc_fast.errors import NoPresentationContext
from orthanc_fast.services.scp.policy import ScpPolicy
from orthanc_fast.services.scp.sop_classes import STORAGE
from orthanc_fast.services.scp.transfer_syntaxes import negotiable
from orthanc_fast.services.scu.get_contexts import (
    COMMON_CLASSES,
    MOST_CLASSES,
    classes_to_get,
    proposals,
    roles,
)
from orthanc_fast.services.scu.get_job import STUDY_ROOT

PREFIX = "1.2.840.10008.5.1.4.1.1"
CT, MR, US = f"{PREFIX}.2", f"{PREFIX}.4", f"{PREFIX}.6.1"
LITTLE, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
JPEG, RLE = "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.5"


def test_the_common_classes_are_orthancs() -> None:
    assert len(COMMON_CLASSES) == len(set(COMMON_CLASSES)) == MOST_CLASSES
    assert set(COMMON_CLASSES) <= set(STORAGE)
    left_out = {f"{PREFIX}.{each}" for each in ("9.1", "30", "481.10", "88.35", "601.1", "11.6")}
    assert left_out.isdisjoint(COMMON_CLASSES)


def test_classes_by_configuration() -> None:
    assert classes_to_get(ScpPolicy({})) == list(COMMON_CLASSES)
    configured = ScpPolicy({"AcceptedSopClasses": [US, "1.2.3", CT], "RejectedSopClasses": [CT]})
    assert classes_to_get(configured) == [US, "1.2.3"]
    assert CT not in classes_to_get(ScpPolicy({"RejectedSopClasses": [CT]}))
    many = [f"1.2.3.{number}" for number in range(200)]
    assert classes_to_get(ScpPolicy({"AcceptedSopClasses": many})) == many[:MOST_CLASSES]


def test_classes_of_a_study() -> None:
    assert classes_to_get(ScpPolicy({}), (MR, "1.2.3", CT)) == [MR, CT]
    assert classes_to_get(ScpPolicy({"AcceptedSopClasses": [CT]}), (MR, CT)) == [CT]
    with pytest.raises(NoPresentationContext, match="no SOPClassUID have been accepted"):
        classes_to_get(ScpPolicy({}), ("1.2.3",))


@pytest.mark.parametrize("modalities", [(), ("CT", "US"), ("MR",)])
@pytest.mark.parametrize("count", [0, 1, 2, 5, 42, 43, 63, 64, 119, 120])
def test_each_class_has_an_uncompressed_context_and_all_fit(
    count: int, modalities: tuple[str, ...]
) -> None:
    classes = COMMON_CLASSES[:count]
    found = proposals(STUDY_ROOT, classes, ScpPolicy({}).syntaxes(), modalities)
    assert found[0].abstract_syntax == STUDY_ROOT
    assert [each.number for each in found] == [2 * number + 1 for number in range(len(found))]
    assert len(found) <= 128
    for each in classes:
        lists = [one.transfer_syntaxes for one in found if one.abstract_syntax == each]
        assert lists[0] == (LITTLE, IMPLICIT)
        assert all(lists)


def test_one_class_gets_a_context_for_each_syntax() -> None:
    accepted = ScpPolicy({}).syntaxes()
    found = [each for each in proposals(STUDY_ROOT, [CT], accepted) if each.number > 1]
    syntaxes = [syntax for each in found for syntax in each.transfer_syntaxes]
    assert sorted(syntaxes) == sorted(negotiable(accepted))
    assert (JPEG,) in [each.transfer_syntaxes for each in found]


def test_many_classes_share_what_room_is_left() -> None:
    found = proposals(STUDY_ROOT, COMMON_CLASSES, ScpPolicy({}).syntaxes())
    assert len(found) == 128
    compressed = [each for each in found if JPEG in each.transfer_syntaxes]
    assert [each.abstract_syntax for each in compressed] == list(COMMON_CLASSES[:7])
    assert all(RLE in each.transfer_syntaxes for each in compressed)


def test_room_goes_to_the_modalities_of_a_study() -> None:
    accepted = ScpPolicy({}).syntaxes()
    found = proposals(STUDY_ROOT, COMMON_CLASSES, accepted, ("MR", "SR"))
    assert len(found) == 128
    more = [each.abstract_syntax for each in found if JPEG in each.transfer_syntaxes]
    assert set(more) == {MR, f"{MR}.1"}
    alone = [each for each in found if len(each.transfer_syntaxes) == 1]
    assert (JPEG,) in [each.transfer_syntaxes for each in alone if each.abstract_syntax == MR]
    assert proposals(STUDY_ROOT, COMMON_CLASSES, accepted, ("SR",)) == proposals(
        STUDY_ROOT, COMMON_CLASSES, accepted
    )


def test_syntaxes_by_configuration() -> None:
    only = ScpPolicy({"AcceptedTransferSyntaxes": [JPEG]}).syntaxes()
    found = proposals(STUDY_ROOT, [CT], only)
    assert [each.transfer_syntaxes for each in found] == [(LITTLE, IMPLICIT), (JPEG,)]


def test_we_are_scp_of_what_is_sent() -> None:
    assert [(each.sop_class, each.scu, each.scp) for each in roles([CT])] == [(CT, False, True)]
