"""Which presentation contexts are proposed, and which of them an instance takes."""

from itertools import islice

import pytest

from orthanc_fast.services.exchange.instances import Presentation
from orthanc_fast.services.scu.contexts import Accepted, Context, Rules, proposals
from orthanc_fast.transfer_syntaxes import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    JPEG_BASELINE,
    JPEG_LOSSLESS_SV1,
    RLE,
    SYNTAXES,
)
from orthanc_fast.upper_layer.pdu import ACCEPTANCE, Answer

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
OPEN, CLOSED = Rules(may_transcode=True), Rules(may_transcode=False)


def proposed(presentations: list[tuple[str, str]], rules: Rules) -> list[tuple[str, ...]]:
    found = proposals([Presentation(*each) for each in presentations], rules)
    assert [each.number for each in found] == [2 * n + 1 for n in range(len(found))]
    return [(each.abstract_syntax, *each.transfer_syntaxes) for each in found]


def test_each_stored_syntax_has_a_context_of_its_own() -> None:
    expected = [
        (CT, RLE),
        (CT, JPEG_BASELINE),
        (CT, EXPLICIT_LITTLE),
        (CT, IMPLICIT_LITTLE, EXPLICIT_BIG),
        (MR, EXPLICIT_LITTLE),
        (MR, IMPLICIT_LITTLE, EXPLICIT_BIG),
    ]
    given = [(CT, RLE), (MR, EXPLICIT_LITTLE), (CT, JPEG_BASELINE)]
    assert proposed(given, OPEN) == expected
    assert proposed(given, CLOSED) == expected


def test_the_preferred_syntax_is_proposed_where_it_can_be_made() -> None:
    rules = Rules(may_transcode=True, preferred=JPEG_LOSSLESS_SV1)
    assert proposed([(CT, IMPLICIT_LITTLE)], rules) == [
        (CT, IMPLICIT_LITTLE),
        (CT, JPEG_LOSSLESS_SV1),
        (CT, EXPLICIT_LITTLE, EXPLICIT_BIG),
    ]
    rules = Rules(may_transcode=False, preferred=JPEG_LOSSLESS_SV1)
    assert (CT, JPEG_LOSSLESS_SV1) not in proposed([(CT, IMPLICIT_LITTLE)], rules)


def test_what_has_no_room_is_left_for_another_association() -> None:
    given = [(f"1.2.3.{number}", RLE) for number in range(50)]
    found = proposed(given, OPEN)
    assert len(found) == 126  # 42 classes of three contexts
    assert found[-1][0] == "1.2.3.41"


def test_one_class_in_all_syntaxes_fits() -> None:
    assert len(proposed([(CT, uid) for uid in SYNTAXES], OPEN)) == len(SYNTAXES)


def accepted(rules: Rules, *contexts: tuple[str, str]) -> Accepted:
    return Accepted(
        {
            2 * number + 1: Answer(2 * number + 1, ACCEPTANCE, *each)
            for number, each in enumerate(contexts)
        },
        rules,
    )


def test_an_instance_goes_as_it_is_stored_if_it_can() -> None:
    both = accepted(OPEN, (CT, EXPLICIT_LITTLE), (CT, RLE))
    assert both.contexts(Presentation(CT, RLE)) == [Context(3, RLE)]


def test_else_into_the_preferred_syntax_then_into_any_uncompressed_one() -> None:
    rules = Rules(may_transcode=True, preferred=JPEG_LOSSLESS_SV1)
    found = accepted(rules, (CT, IMPLICIT_LITTLE), (CT, JPEG_LOSSLESS_SV1), (MR, EXPLICIT_LITTLE))
    syntaxes = [each.transfer_syntax for each in found.contexts(Presentation(CT, RLE))]
    assert syntaxes == [JPEG_LOSSLESS_SV1, IMPLICIT_LITTLE]


@pytest.mark.parametrize("rules", [OPEN, CLOSED])
def test_nowhere_if_nothing_was_accepted(rules: Rules) -> None:
    found = accepted(rules, (MR, RLE))
    assert found.contexts(Presentation(CT, RLE)) == []
    assert not found.has_class(CT)


def test_no_other_syntax_without_transcoding() -> None:
    found = accepted(CLOSED, *islice(((CT, uid) for uid in SYNTAXES if uid != RLE), 20))
    assert found.contexts(Presentation(CT, RLE)) == []
    assert found.has_class(CT)
