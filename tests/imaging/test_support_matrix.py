"""The documentation says what the table of transfer syntaxes says, and so does the DICOM door."""

import importlib.util
from pathlib import Path

import pydicom.uid

from orthanc_fast.imaging.codecs import codec_of
from orthanc_fast.imaging.registry import CODINGS
from orthanc_fast.transfer_syntaxes import SYNTAXES

SCRIPT = Path(__file__).parents[2] / "scripts" / "support_matrix.py"


def test_the_page_is_current() -> None:
    spec = importlib.util.spec_from_file_location("support_matrix", SCRIPT)
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    page = script.PAGE.read_text()
    assert page == script.with_matrix(page), "run scripts/support_matrix.py"


def test_the_table_agrees_with_pydicom() -> None:
    for uid, row in SYNTAXES.items():
        other = pydicom.uid.UID(uid)
        if other.is_transfer_syntax and row.is_image:
            assert row.is_encapsulated == other.is_encapsulated, uid
            assert row.is_implicit == (other.is_implicit_VR and not other.is_encapsulated), uid
            assert row.is_big_endian == (not other.is_little_endian), uid
            assert row.is_deflated == (other.is_deflated and not row.is_encapsulated), uid


def test_every_codec_exists() -> None:
    assert set(CODINGS) == set(SYNTAXES)
    for uid, row in CODINGS.items():
        if row.codec is not None:
            codec = codec_of(SYNTAXES[uid])
            assert callable(codec.decode) and callable(codec.describe)
            assert callable(codec.encode)
            assert codec.MAX_EXPANSION > 1 and codec.RGB_FROM
        else:
            assert row.reason and row.target is None
