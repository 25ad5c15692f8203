"""The small benchmark of bench/deidentification.py: what the documentation says of this server."""

import pytest
from support.server import OurServer

from bench.deidentification import OPTIONS, REMOVAL, RETENTION, scored

pytestmark = pytest.mark.filterwarnings("ignore:The value length")

_PLAIN = ("elements", "nested elements", "UIDs", "dates", "descriptions", "private elements")


def test_with_options_nothing_identifies_and_the_rest_is_kept(our_server: OurServer) -> None:
    score = scored(our_server.url, OPTIONS, patients=3)
    assert {name: score.percent(name) for name in (*REMOVAL, *RETENTION)} == dict.fromkeys(
        (*REMOVAL, *RETENTION), 100
    )


def test_the_profile_alone(our_server: OurServer) -> None:
    score = scored(our_server.url, {}, patients=2)
    assert all(score.percent(name) == 100 for name in (*_PLAIN, "references"))
    assert score.percent("pixels") == 0  # so the set can tell
    assert score.percent("other free text") < 100
