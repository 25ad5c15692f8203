"""What is accepted, by pattern and by group."""

import pytest

from orthanc_fast.services.scp import sop_classes, transfer_syntaxes
from orthanc_fast.services.scp.sop_classes import STORAGE, VERIFICATION
from orthanc_fast.services.scp.transfer_syntaxes import GROUPS, KNOWN

CT = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
PREFIX = "1.2.840.10008.1.2"


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (PREFIX, {""}),
        (f"{PREFIX}.?", {".1", ".2", ".5"}),
        (f"{PREFIX}.4.8*", {".4.80", ".4.81"}),
        ("*.4.9?", {".4.90", ".4.91", ".4.92", ".4.93", ".4.94", ".4.95"}),
        ("1.2.3", set()),
        ("", set()),
        # Orthanc 1.13 was asked for these by PUT /tools/accepted-transfer-syntaxes: no match.
        ("1.2.840.10008.1.[2]", set()),
        ("1.2.840.10008.1.[2]*", set()),
        (f"{PREFIX}.4.5[01]", set()),
        (f"{PREFIX}.(1|2)", set()),
        (f"{PREFIX}+", set()),
        (f"{PREFIX}$", set()),
        (f"{PREFIX}\n", set()),
        ("1x2x840x10008x1x2", set()),
    ],
)
def test_patterns_of_transfer_syntaxes(pattern: str, expected: set[str]) -> None:
    found = transfer_syntaxes.expand([pattern])
    assert found == {PREFIX + suffix for suffix in expected}


def test_everything_is_accepted_by_default_and_by_a_star() -> None:
    assert transfer_syntaxes.accepted(None, {}) == set(KNOWN)
    assert transfer_syntaxes.accepted(["*"], {}) == set(KNOWN)
    assert transfer_syntaxes.accepted([], {}) == set()


@pytest.mark.parametrize("group", GROUPS)
def test_groups_are_added_to_the_patterns_and_taken_from_them(group: str) -> None:
    plain = [PREFIX, f"{PREFIX}.1"]
    assert transfer_syntaxes.accepted(plain, {group: True}) == {*plain, *GROUPS[group]}
    assert transfer_syntaxes.accepted(None, {group: False}) == set(KNOWN) - GROUPS[group]
    both = transfer_syntaxes.accepted(plain, {group: True, "Rle": False})
    assert both == ({*plain, *GROUPS[group]} - GROUPS["Rle"])


def test_who_decides_which_syntax_is_chosen() -> None:
    """The requestor among those that are accepted; of other classes the server."""
    proposed = [PREFIX, f"{PREFIX}.2", f"{PREFIX}.1"]
    accepted = frozenset(proposed[1:])
    assert transfer_syntaxes.first_proposed(proposed, accepted) == f"{PREFIX}.2"
    assert transfer_syntaxes.first_proposed(proposed, frozenset()) is None
    assert transfer_syntaxes.preferred(proposed) == f"{PREFIX}.1"
    assert transfer_syntaxes.preferred([f"{PREFIX}.4.50"]) is None


def test_what_encodes_no_image_is_never_negotiated() -> None:
    """MIME and XML are listed all the same."""
    left_out = set(KNOWN) - transfer_syntaxes.negotiable(frozenset(KNOWN))
    assert left_out == {f"{PREFIX}.6.1", f"{PREFIX}.6.2"}


def test_storage_classes() -> None:
    assert set(sop_classes.accepted([], [])) == set(STORAGE)
    assert len(STORAGE) == len(set(STORAGE))
    assert VERIFICATION not in STORAGE
    assert set(sop_classes.accepted([CT], [])) == {CT}
    assert set(sop_classes.accepted(["1.2.3"], [])) == {"1.2.3"}, "a plain UID needs not be known"
    assert set(sop_classes.accepted([f"{CT}*"], [ENHANCED_CT])) >= {CT}
    assert ENHANCED_CT not in sop_classes.accepted([f"{CT}*"], [ENHANCED_CT])
    assert set(sop_classes.accepted([], ["*"])) == set()
    assert set(sop_classes.accepted(["*[2]"], [])) == set()
    mr, ct, waveform = (f"1.2.840.10008.5.1.4.1.1.{last}" for last in ("4", "2", "9.1.2"))
    assert {mr, ct, waveform} <= set(STORAGE), "written as ranges in the table"
