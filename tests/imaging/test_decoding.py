"""Every file of pydicom's and pydicom-data's collections against pydicom with GDCM, Pillow and
OpenJPEG; every transfer syntax that they lack, made by DCMTK and read by DCMTK."""

from pathlib import Path

import imagecodecs
import numpy as np
import openjpeg.utils
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import UID
from support.files import file_named
from support.images import (
    decoded,
    decoded_by_pydicom,
    greatest_difference,
    image_files,
    image_in,
    tool,
)

from orthanc_fast.errors import BadFileFormat
from orthanc_fast.imaging.registry import CODINGS
from orthanc_fast.transfer_syntaxes import HTJ2K, HTJ2K_LOSSLESS, HTJ2K_LOSSLESS_RPCL

# What differs on purpose, by how much and why.
ONE_BIT = (254, "0 and 255 here, as Orthanc shows them, 0 and 1 there")
ROUNDED_DOWN = (1, "YBR to RGB is rounded down, as Orthanc does, not to nearest")
DEVIATIONS = {
    "liver.dcm": ONE_BIT,
    "liver_1frame.dcm": ONE_BIT,
    "liver_expb.dcm": ONE_BIT,
    "liver_expb_1frame.dcm": ONE_BIT,
    "SC_ybr_full_uncompressed.dcm": ROUNDED_DOWN,
    "SC_ybr_full_422_uncompressed.dcm": ROUNDED_DOWN,
}
REFUSED = {
    "badVR.dcm": "Invalid number of frames: '1A'",
    # Its codestream is damaged; pydicom fails as well.
    "JPEG2000-embedded-sequence-delimiter.dcm": "3722445056 pixels",
}
# GDCM does not read 12-bit JPEG of this kind.
BY_DCMTK = {"JPEG-lossy.dcm", "JPGExtended.dcm"}


@pytest.mark.parametrize("path", image_files(), ids=lambda path: path.name)
def test_collections(path: Path, tmp_path: Path) -> None:
    if path.name in REFUSED:
        with pytest.raises(BadFileFormat, match=REFUSED[path.name]):
            decoded(path)
        return
    if path.name in BY_DCMTK:
        expected = decoded(tool(tmp_path / "plain.dcm", "dcmdjpeg", path))
    else:
        expected = decoded_by_pydicom(path)
    tolerance, _ = DEVIATIONS.get(path.name, (0, ""))
    assert greatest_difference(decoded(path), expected) == tolerance


SOURCES = {
    "signed": "CT_small.dcm",
    "color": "color-pl.dcm",
    "frames": "emri_small.dcm",
    "palette": "examples_palette.dcm",
}
LOSSLESS = {
    "deflated": ("dcmconv", "+td"),
    "big endian": ("dcmconv", "+tb"),
    "implicit": ("dcmconv", "+ti"),
    "RLE": ("dcmcrle",),
    "JPEG lossless SV1": ("dcmcjpeg", "+e1"),
    **{f"JPEG lossless SV{n}": ("dcmcjpeg", "+el", "+sv", str(n)) for n in range(1, 8)},
    "JPEG-LS by line": ("dcmcjpls", "+el", "+il"),
    "JPEG-LS by sample": ("dcmcjpls", "+el", "+is"),
    "JPEG-LS by plane": ("dcmcjpls", "+el", "+in"),
    "several fragments": ("dcmcjpeg", "+e1", "+fs", "4", "+ot"),
}
LOSSY = {
    "JPEG baseline": ("dcmcjpeg", "+eb"),
    "JPEG extended": ("dcmcjpeg", "+ee"),
    "JPEG spectral selection": ("dcmcjpeg", "+es"),
    "JPEG full progression": ("dcmcjpeg", "+ep"),
}


@pytest.mark.parametrize("command", LOSSLESS.values(), ids=LOSSLESS)
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_lossless_syntaxes(source: str, command: tuple[str, ...], tmp_path: Path) -> None:
    path = file_named(source)
    made = tool(tmp_path / "made.dcm", *command, path)
    assert greatest_difference(decoded(made), decoded(path)) == 0


@pytest.mark.parametrize("command", LOSSY.values(), ids=LOSSY)
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_lossy_jpeg_as_dcmtk_reads_it(
    source: str, command: tuple[str, ...], tmp_path: Path
) -> None:
    made = tool(tmp_path / "made.dcm", *command, file_named(source))
    plain = tool(tmp_path / "plain.dcm", "dcmdjpeg", made)
    assert greatest_difference(decoded(made), decoded(plain)) == 0


@pytest.mark.parametrize("source", ["color-pl.dcm", "emri_small.dcm"])
def test_near_lossless_jpeg_ls(source: str, tmp_path: Path) -> None:
    path = file_named(source)
    made = tool(tmp_path / "made.dcm", "dcmcjpls", "+en", "+md", "2", path)
    plain = tool(tmp_path / "plain.dcm", "dcmdjpls", made)
    assert greatest_difference(decoded(made), decoded(plain)) == 0
    assert greatest_difference(decoded(made), decoded(path)) == 2


@pytest.mark.parametrize("uid", [HTJ2K_LOSSLESS, HTJ2K_LOSSLESS_RPCL, HTJ2K])
@pytest.mark.parametrize("source", ["CT_small.dcm", "emri_small.dcm", "color3d_jpeg_baseline.dcm"])
def test_htj2k(source: str, uid: str, tmp_path: Path) -> None:
    """Encoded by OpenJPH, which is the other decoder as well."""
    path = file_named(source)
    frames = decoded(path)
    lossless = uid != HTJ2K
    streams = [
        imagecodecs.htj2k_encode(frame, reversible=lossless, level=None if lossless else 0.01)
        for frame in frames[:3]
    ]
    dataset = pydicom.dcmread(path)
    dataset.PixelData = encapsulate([bytes(stream) for stream in streams])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.NumberOfFrames = len(streams)
    dataset.file_meta.TransferSyntaxUID = UID(uid)
    if frames[0].ndim == 3:
        dataset.PhotometricInterpretation = "YBR_RCT" if lossless else "YBR_ICT"
    made = tmp_path / "made.dcm"
    dataset.save_as(made)
    found = decoded(made)
    others = [imagecodecs.htj2k_decode(bytes(stream)) for stream in streams]
    assert greatest_difference(found, others) <= (0 if lossless else 1)
    if lossless:
        assert greatest_difference(found, frames[:3]) == 0


def test_every_decodable_syntax_is_tested(tmp_path: Path) -> None:
    """Those of the collections, of DCMTK's converters and of HTJ2K are all that the table has."""
    tested = {HTJ2K_LOSSLESS, HTJ2K_LOSSLESS_RPCL, HTJ2K}
    tested |= {image_in(path.read_bytes()).info.transfer_syntax for path in image_files()
               if path.name not in REFUSED}  # fmt: skip
    for number, command in enumerate([*LOSSLESS.values(), *LOSSY.values()]):
        made = tool(tmp_path / f"{number}.dcm", *command, file_named("CT_small.dcm"))
        tested.add(image_in(made.read_bytes()).info.transfer_syntax)
    tested.add("1.2.840.10008.1.2.4.81")  # test_near_lossless_jpeg_ls
    assert {uid for uid, row in CODINGS.items() if row.codec is not None} == tested


def test_a_view_outlives_its_image() -> None:
    image = image_in(file_named("CT_small.dcm").read_bytes())
    pixels = image.decode(0)
    assert not pixels.flags.owndata
    image.close()
    dataset = pydicom.dcmread(file_named("CT_small.dcm"))
    np.testing.assert_array_equal(pixels, dataset.pixel_array)


@pytest.mark.parametrize("name", ["MR2_J2KR.dcm", "693_J2KI.dcm", "US1_J2KR.dcm", "US1_J2KI.dcm"])
def test_jpeg_2000_as_another_build_of_openjpeg_reads_it(name: str) -> None:
    image = image_in(file_named(name).read_bytes())
    np.testing.assert_array_equal(image.decode(0), openjpeg.utils.decode(bytes(image.encoded(0))))
