"""Transcoding, read back by others: pydicom with GDCM and OpenJPEG, DCMTK, libjpeg-turbo's rivals.

Lossless means that every stored value and every other attribute is what it was.
"""

import io
import warnings
from pathlib import Path

import imagecodecs
import numpy as np
import openjpeg.utils
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileDataset
from pydicom.encaps import generate_frames
from pydicom.filebase import DicomBytesIO
from pydicom.uid import generate_uid
from support import generated
from support.files import dicom_files, file_named
from support.images import (
    decoded,
    greatest_difference,
    image_file,
    image_files,
    image_in,
    item,
    tool,
)

from orthanc_fast import transfer_syntaxes as syntaxes
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.editing import Editor
from orthanc_fast.errors import NotImplementedYet, OrthancError, ParameterOutOfRange
from orthanc_fast.imaging.encapsulate import encapsulate
from orthanc_fast.imaging.recode import whole_cells
from orthanc_fast.imaging.registry import CODINGS
from orthanc_fast.services.transcoding.transcode import Transcoded, transcode

TARGETS = {uid: row.target for uid, row in CODINGS.items() if row.target and row.codec != "native"}
NATIVE = (
    syntaxes.IMPLICIT_LITTLE,
    syntaxes.EXPLICIT_LITTLE,
    syntaxes.DEFLATED,
    syntaxes.EXPLICIT_BIG,
)
LOSSLESS = (*NATIVE, *(uid for uid, target in TARGETS.items() if not target.method))
LOSSY = tuple(uid for uid, target in TARGETS.items() if target.method)

# What lossless transcoding may change.
_IMAGE_PIXEL = {
    "PhotometricInterpretation",  # YBR_RCT, RGB, or YBR_FULL instead of YBR_FULL_422
    "PlanarConfiguration",
    "HighBit",  # values are moved to the low bits
    "BitsStored",  # added where it was absent
    "PixelRepresentation",
    "PixelData",
    "SamplesPerPixel",
    "DerivationDescription",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "IconImageSequence",  # left out if it is compressed
}

# Some files have values that are none.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Invalid value for VR"),
    pytest.mark.filterwarnings("ignore:The value length"),
]

DICTIONARY = Dictionary()


def to(data: bytes, uid: str, quality: int = 90) -> Transcoded:
    return transcode(data, uid, quality, DICTIONARY)


def read(data: bytes) -> FileDataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(io.BytesIO(data), force=True)


def file_of(
    pixels: np.ndarray, bits: int | None = None, photometric: str | None = None, frames: int = 1
) -> bytes:
    """A CT with these pixels: (rows, columns) or (rows, columns, 3) for each of `frames`."""
    dataset = generated.base()
    generated.add_pixels(dataset, pixels if frames == 1 else pixels[0])
    dataset.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    if frames > 1:
        dataset.NumberOfFrames = frames
    if bits is not None:
        dataset.BitsStored, dataset.HighBit = bits, bits - 1
    if photometric is not None:
        dataset.PhotometricInterpretation = photometric
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    return encoded(dataset)


def encoded(dataset: FileDataset) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def frames_in(data: bytes) -> list[np.ndarray]:
    with image_in(data) as image:
        return [image.decode(index) for index in range(image.number_of_frames)]


# Every file of the collections

# Damaged: see REFUSED of test_decoding.
_UNREADABLE = {"badVR.dcm", "JPEG2000-embedded-sequence-delimiter.dcm"}


_READABLE = [path for path in image_files() if path.name not in _UNREADABLE]


@pytest.mark.parametrize("path", _READABLE, ids=lambda path: path.name)
def test_every_image_into_every_lossless_syntax(path: Path, tmp_path: Path) -> None:
    data = path.read_bytes()
    before = frames_in(data)
    done = 0
    for uid in LOSSLESS:
        try:
            made = to(data, uid)
        except NotImplementedYet as error:
            assert _cannot(data), f"{uid}: {error}"
            continue
        assert not made.is_lossy
        assert greatest_difference(frames_in(made.data), before) == 0, uid
        after = read(made.data)
        if uid == syntaxes.EXPLICIT_BIG:
            # pydicom takes what is inside UN for big endian; DCMTK knows better.
            written = tmp_path / "big.dcm"
            written.write_bytes(made.data)
            after = read(tool(tmp_path / "little.dcm", "dcmconv", "+te", written).read_bytes())
        _assert_same_attributes(read(data), after, uid)
        done += 1
    assert done >= 3


def _cannot(data: bytes) -> bool:
    """Whether the image is of a kind that compressed syntaxes do not hold."""
    with image_in(data) as image:
        info = image.info
        return info.is_float or info.bits_allocated not in (8, 16)


def _assert_same_attributes(before: Dataset, after: Dataset, uid: str) -> None:
    for tag in before.keys():  # noqa: SIM118 - its items would be decoded
        name = pydicom.datadict.keyword_for_tag(tag)
        if name in _IMAGE_PIXEL or tag.element == 0 or tag == 0xFFFCFFFC:
            continue
        assert tag in after, f"{uid}: {tag}"
        values: tuple[object, object] = _bytes(before, tag), _bytes(after, tag)
        if None in values:
            if "UN" in (before[tag].VR, after[tag].VR):
                continue  # decoded on one side only: nothing to compare with
            values = str(before[tag].value), str(after[tag].value)
        if before[tag].VR == "SQ" and after[tag].VR == "SQ":
            assert len(before[tag].value) == len(after[tag].value), f"{uid}: {tag}"
            for one, other in zip(before[tag].value, after[tag].value, strict=True):
                _assert_same_attributes(one, other, uid)
        elif before[tag].VR != "SQ":  # unknown private sequences are UN in implicit VR
            assert values[0] == values[1], f"{uid}: {tag}"
    added = {
        pydicom.datadict.keyword_for_tag(tag) for tag in set(after.keys()) - set(before.keys())
    }
    assert added <= _IMAGE_PIXEL, uid


_WORDS = {2: "US SS OW AT", 4: "UL SL FL OF OL", 8: "FD OD UV SV OV"}
_WORD = {vr: size for size, vrs in _WORDS.items() for vr in vrs.split()}


def _bytes(dataset: Dataset, tag: pydicom.tag.BaseTag) -> bytes | None:
    """The value in little endian, without padding; None if pydicom has decoded it already."""
    raw = dataset.get_item(tag, keep_deferred=True)
    if not isinstance(raw, pydicom.dataelem.RawDataElement):
        return None
    value = raw.value or b""
    if not raw.is_little_endian:
        size = _WORD.get(raw.VR or "", 1)
        whole = len(value) // size * size
        words = np.frombuffer(value[:whole], np.uint8).reshape(-1, size)[:, ::-1]
        value = words.tobytes() + value[whole:]
    return value.rstrip(b"\0 ")


def test_files_without_pixel_data() -> None:
    names = ("rtplan.dcm", "reportsi.dcm", "test-SR.dcm", "rtstruct.dcm")
    for path in dicom_files():
        if path.name not in names:
            continue
        data = path.read_bytes()
        for uid in (*LOSSLESS, *LOSSY):
            made = to(data, uid)
            after = read(made.data)
            assert not made.is_lossy
            assert made.sop_instance_uid == after.SOPInstanceUID == read(data).SOPInstanceUID
            assert after.file_meta.TransferSyntaxUID == uid
            _assert_same_attributes(read(data), after, uid)


@pytest.mark.parametrize(
    "name", ["CT_small.dcm", "reportsi.dcm", "priv_SQ.dcm", "nested_priv_SQ.dcm"]
)
@pytest.mark.parametrize("option", ["+te", "+ti", "+tb"])
def test_dataset_as_dcmtk_converts_it(name: str, option: str, tmp_path: Path) -> None:
    path = next((path for path in dicom_files() if path.name == name), None)
    assert path is not None
    uid = {"+ti": NATIVE[0], "+te": NATIVE[1], "+tb": NATIVE[3]}[option]
    theirs = tool(tmp_path / "theirs.dcm", "dcmconv", option, path)
    ours = read(to(path.read_bytes(), uid).data)
    ours.pop("DataSetTrailingPadding", None)  # which DCMTK leaves out
    _assert_same_attributes(read(theirs.read_bytes()), ours, uid)


# Others read what we write

_SMOOTH = generated.anatomy(64)
_COLOR = np.dstack([_SMOOTH % 251, _SMOOTH // 8 % 256, 255 - _SMOOTH // 16]).astype("u1")
IMAGES: dict[str, tuple[np.ndarray, int | None]] = {
    "8 bits": ((_SMOOTH >> 4).astype("u1"), None),
    "12 bits": (_SMOOTH.astype("u2"), 12),
    "12 bits signed": ((_SMOOTH - 2048).astype("i2"), 12),
    "16 bits": ((_SMOOTH.astype("u2") * 16 + 15), None),
    "16 bits signed": ((_SMOOTH.astype("i4") * 15 - 30000).astype("i2"), None),
    "colour": (_COLOR, None),
}


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("uid", [uid for uid in LOSSLESS if uid in TARGETS])
def test_others_read_lossless(uid: str, image: str, tmp_path: Path) -> None:
    pixels, bits = IMAGES[image]
    data = to(file_of(pixels, bits), uid).data
    for reader in _READERS[uid]:
        np.testing.assert_array_equal(reader(data, tmp_path), pixels, reader.__name__)


def _by_pydicom(data: bytes, folder: Path) -> np.ndarray:
    return read(data).pixel_array


def _by_dcmtk(data: bytes, folder: Path) -> np.ndarray:
    dataset = read(data)
    commands = {
        syntaxes.RLE: "dcmdrle",
        syntaxes.JPEG_LS_LOSSLESS: "dcmdjpls",
        syntaxes.JPEG_LS_NEAR_LOSSLESS: "dcmdjpls",
    }
    path = folder / "made.dcm"
    path.write_bytes(data)
    command = commands.get(dataset.file_meta.TransferSyntaxUID, "dcmdjpeg")
    return read(tool(folder / "plain.dcm", command, path).read_bytes()).pixel_array


def _by_openjpeg(data: bytes, folder: Path) -> np.ndarray:
    return openjpeg.utils.decode(next(generate_frames(read(data).PixelData)))


def _by_sof3(data: bytes, folder: Path) -> np.ndarray:
    dataset = read(data)
    cells = imagecodecs.jpegsof3_decode(next(generate_frames(dataset.PixelData)))
    return cells.astype(cells.dtype).view(
        f"{'i' if dataset.PixelRepresentation else 'u'}{cells.itemsize}"
    )


_READERS = {
    syntaxes.RLE: (_by_pydicom, _by_dcmtk),
    syntaxes.JPEG_LOSSLESS: (_by_dcmtk, _by_pydicom),
    syntaxes.JPEG_LOSSLESS_SV1: (_by_dcmtk, _by_pydicom),
    syntaxes.JPEG_LS_LOSSLESS: (_by_dcmtk, _by_pydicom),
    syntaxes.JPEG_2000_LOSSLESS: (_by_pydicom, _by_openjpeg),
    syntaxes.HTJ2K_LOSSLESS: (_by_openjpeg,),
    syntaxes.HTJ2K_LOSSLESS_RPCL: (_by_openjpeg,),
}


def test_jpeg_lossless_of_16_bits_by_a_third_decoder(tmp_path: Path) -> None:
    pixels = np.random.default_rng(5).integers(0, 65536, (65, 67)).astype("u2")
    for uid in (syntaxes.JPEG_LOSSLESS, syntaxes.JPEG_LOSSLESS_SV1):
        data = to(file_of(pixels), uid).data
        np.testing.assert_array_equal(_by_sof3(data, tmp_path), pixels)


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("uid", LOSSY)
def test_others_read_lossy(uid: str, image: str, tmp_path: Path) -> None:
    pixels, bits = IMAGES[image]
    most = {syntaxes.JPEG_BASELINE: 8, syntaxes.JPEG_EXTENDED: 12}.get(uid, 16)
    if (bits or 8 * pixels.itemsize) > most:
        with pytest.raises(NotImplementedYet, match=f"holds up to {most} bits"):
            to(file_of(pixels, bits), uid)
        return
    data = to(file_of(pixels, bits), uid).data
    dataset = read(data)
    found = _LOSSY_READERS[uid](data, tmp_path).astype("f8")
    # Values that were shifted, because JPEG knows no sign, mean what they meant.
    physical = found * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
    difference = np.abs(physical - (pixels.astype("f8") - 1024))
    if uid == syntaxes.JPEG_LS_NEAR_LOSSLESS:
        assert 0 < difference.max() <= 2
        return
    assert difference.max() > 0
    assert np.sqrt((difference**2).mean()) < (16 if pixels.ndim == 3 else 3)


_LOSSY_READERS = {
    syntaxes.JPEG_BASELINE: _by_dcmtk,
    syntaxes.JPEG_EXTENDED: _by_dcmtk,
    syntaxes.JPEG_LS_NEAR_LOSSLESS: _by_dcmtk,
    syntaxes.JPEG_2000: _by_openjpeg,
    syntaxes.HTJ2K: _by_openjpeg,
}


def test_little_detail_on_plain_ground_survives_jpeg_2000() -> None:
    """Letters of a screenshot hardly count in the mean error, which is what OpenJPEG looks at."""
    pixels = np.full((256, 256), 245, "u1")
    pixels[100:104, 30:80:7] = 134
    made = to(file_of(pixels), syntaxes.JPEG_2000)
    (frame,) = frames_in(made.data)
    assert np.abs(frame.astype(int) - pixels).max() < 12


def test_lossy_htj2k_does_not_run_over() -> None:
    pixels = np.random.default_rng(3).integers(0, 2, (64, 60, 3)).astype("u1") * 255
    (frame,) = frames_in(to(file_of(pixels), syntaxes.HTJ2K).data)
    assert np.abs(frame.astype(int) - pixels).max() < 30


# Any shape and depth


@st.composite
def _stored(draw: st.DrawFn) -> tuple[np.ndarray, int]:
    allocated = draw(st.sampled_from([8, 16]))
    bits = draw(st.integers(2, allocated))
    is_color = draw(st.booleans())
    is_signed = not is_color and draw(st.booleans())
    shape = (draw(st.integers(1, 40)), draw(st.integers(1, 40)), 3)[: 3 if is_color else 2]
    low, high = (-(1 << bits - 1), 1 << bits - 1) if is_signed else (0, 1 << bits)
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    kind = f"{'i' if is_signed else 'u'}{allocated // 8}"
    return rng.integers(low, high, shape).astype(kind), bits


@given(_stored(), st.sampled_from([uid for uid in LOSSLESS if uid in TARGETS]))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_there_and_back(stored: tuple[np.ndarray, int], uid: str) -> None:
    pixels, bits = stored
    there = to(file_of(pixels, bits), uid)
    back = read(to(there.data, syntaxes.EXPLICIT_LITTLE).data)
    assert back.PixelData[: pixels.nbytes] == pixels.tobytes()
    assert back.BitsStored == bits
    assert back.PixelRepresentation == (pixels.dtype.kind == "i")
    assert back.PhotometricInterpretation == ("RGB" if pixels.ndim == 3 else "MONOCHROME2")


@given(st.sampled_from(NATIVE), st.sampled_from(NATIVE), st.sampled_from(["u1", "u2", "u4"]))
@settings(max_examples=30, deadline=None)
def test_native_to_native_and_back(first: str, second: str, kind: str) -> None:
    pixels = np.random.default_rng(1).integers(0, 1 << 8 * np.dtype(kind).itemsize, (5, 7))
    data = file_of(pixels.astype(kind))
    there = to(to(data, first).data, second).data
    np.testing.assert_array_equal(read(there).pixel_array, pixels)
    assert read(to(there, syntaxes.EXPLICIT_LITTLE).data).PixelData == read(data).PixelData


@pytest.mark.parametrize("photometric", ["YBR_FULL", "RGB"])
@pytest.mark.parametrize("uid", [uid for uid in LOSSLESS if uid in TARGETS])
def test_colour_that_is_ybr_stays_what_it_is(uid: str, photometric: str) -> None:
    data = file_of(_COLOR, photometric=photometric)
    there = to(data, uid)
    back = read(to(there.data, syntaxes.EXPLICIT_LITTLE).data)
    assert back.PhotometricInterpretation == photometric
    assert back.PixelData == _COLOR.tobytes()


def test_planar_colour_is_interleaved_when_it_is_compressed() -> None:
    dataset = read(file_of(_COLOR))
    dataset.PlanarConfiguration = 1
    dataset.PixelData = np.ascontiguousarray(np.moveaxis(_COLOR, 2, 0)).tobytes()
    data = encoded(dataset)
    assert read(to(data, syntaxes.EXPLICIT_BIG).data).PlanarConfiguration == 1
    made = read(to(data, syntaxes.JPEG_LS_LOSSLESS).data)
    assert made.PlanarConfiguration == 0
    np.testing.assert_array_equal(made.pixel_array, _COLOR)


# Overlays in unused bits


@pytest.mark.parametrize("uid", [*LOSSLESS, *LOSSY[1:]])  # the first one has 8 bits only
def test_an_overlay_in_unused_bits_survives(uid: str) -> None:
    overlay = (np.add.outer(np.arange(64), np.arange(64)) % 3 == 0).astype("u2")
    dataset = read(file_of(_SMOOTH.astype("u2") | overlay << 14, 12))
    block = {0x0010: 64, 0x0011: 64, 0x0100: 16, 0x0102: 14}
    for number, value in block.items():
        dataset.add_new(0x60000000 | number, "US", value)
    dataset.add_new(0x60000040, "CS", "G")
    dataset.add_new(0x60000050, "SS", [1, 1])
    made = to(encoded(dataset), uid)
    after = read(made.data)
    if (0x6000, 0x3000) in after:
        assert (after[0x6000, 0x0100].value, after[0x6000, 0x0102].value) == (1, 0)
        found = after.overlay_array(0x6000)
    else:
        with image_in(made.data) as image:
            found = whole_cells(image, 0) >> 14 & 1
    np.testing.assert_array_equal(found, overlay)
    if not made.is_lossy:
        np.testing.assert_array_equal(frames_in(made.data)[0], _SMOOTH)


# What a lossy file says about itself


@pytest.mark.parametrize("uid", LOSSY)
def test_lossy_attributes(uid: str) -> None:
    data = file_of(IMAGES["8 bits"][0])
    before = read(data)
    made = to(data, uid)
    after = read(made.data)
    assert made.is_lossy
    assert made.sop_instance_uid == after.SOPInstanceUID != before.SOPInstanceUID
    assert after.file_meta.MediaStorageSOPInstanceUID == after.SOPInstanceUID
    assert after.ImageType == ["DERIVED", "PRIMARY", "AXIAL"]
    assert after.LossyImageCompression == "01"
    assert after.LossyImageCompressionMethod == TARGETS[uid].method
    (item,) = after.SourceImageSequence
    assert item.ReferencedSOPInstanceUID == before.SOPInstanceUID
    assert item.ReferencedSOPClassUID == before.SOPClassUID
    assert item.PurposeOfReferenceCodeSequence[0].CodeValue == "121320"
    assert after.DerivationCodeSequence[0].CodeValue == "113040"
    frame = next(generate_frames(after.PixelData))
    ratio = 64 * 64 / len(frame)
    assert float(after.LossyImageCompressionRatio) == pytest.approx(ratio, rel=0.01)
    assert "ossy" in after.DerivationDescription


def test_lossy_twice_keeps_the_history() -> None:
    first = to(file_of(IMAGES["8 bits"][0]), syntaxes.JPEG_BASELINE)
    second = read(to(first.data, syntaxes.JPEG_2000).data)
    assert second.LossyImageCompressionMethod == ["ISO_10918_1", "ISO_15444_1"]
    assert len(second.LossyImageCompressionRatio) == 2
    uids = [item.ReferencedSOPInstanceUID for item in second.SourceImageSequence]
    assert uids[1] == first.sop_instance_uid
    assert second.DerivationDescription.endswith(f"[{read(first.data).DerivationDescription}]")


def test_the_new_uid_follows_from_file_target_and_quality() -> None:
    data = file_of(IMAGES["8 bits"][0])
    uids = {
        to(data, uid, quality).sop_instance_uid
        for uid in (syntaxes.JPEG_BASELINE, syntaxes.JPEG_EXTENDED)
        for quality in (50, 90)
        for _ in range(2)
    }
    assert len(uids) == 4


def test_quality_matters() -> None:
    data = file_of(IMAGES["12 bits"][0], 12)
    for uid in (syntaxes.JPEG_EXTENDED, syntaxes.JPEG_2000, syntaxes.HTJ2K):
        sizes = [len(to(data, uid, quality).data) for quality in (10, 50, 100)]
        assert sizes == sorted(set(sizes))


def test_the_same_compressed_syntax_keeps_pixels_and_uid() -> None:
    path = file_named("JPGExtended.dcm")
    made = to(path.read_bytes(), syntaxes.JPEG_EXTENDED)
    before, after = read(path.read_bytes()), read(made.data)
    assert not made.is_lossy
    assert after.PixelData == before.PixelData
    assert after.SOPInstanceUID == before.SOPInstanceUID


def test_a_palette_is_kept_without_and_expanded_with_loss() -> None:
    path = file_named("examples_palette.dcm")
    kept = read(to(path.read_bytes(), syntaxes.JPEG_2000_LOSSLESS).data)
    assert kept.PhotometricInterpretation == "PALETTE COLOR"
    assert "RedPaletteColorLookupTableData" in kept
    expanded = to(path.read_bytes(), syntaxes.JPEG_BASELINE).data
    after = read(expanded)
    assert after.PhotometricInterpretation == "YBR_FULL_422"
    assert (after.SamplesPerPixel, after.PlanarConfiguration) == (3, 0)
    assert not any("Palette" in element.keyword for element in after)
    difference = frames_in(expanded)[0].astype(float) - decoded(path)[0]
    assert np.sqrt((difference**2).mean()) < 6


def test_group_lengths_are_recomputed_and_the_meta_header_is_ours() -> None:
    dataset = read(file_of(IMAGES["8 bits"][0]))
    dataset.file_meta.SourceApplicationEntityTitle = "SENDER"
    data = encoded(dataset)
    # pydicom writes no group lengths.
    editor = Editor(data, True, False, DICTIONARY)
    for tag in (0x00080000, 0x00280000):
        editor.set(tag, editor.write.element(tag, "UL", b"\1\0\0\0"))
    rows = editor.rows
    data = (
        data[: editor.source.start]
        + editor.head(rows[0x7FE00010], True)
        + data[rows[0x7FE00010][2] :]
    )
    after = read(to(data, syntaxes.JPEG_BASELINE).data)
    for group in (0x0008, 0x0028):
        plain = DicomBytesIO()
        plain.is_implicit_VR, plain.is_little_endian = False, True
        pydicom.filewriter.write_dataset(plain, after.group_dataset(group))
        assert after[group, 0].value == len(plain.getvalue())
    assert "SourceApplicationEntityTitle" not in after.file_meta
    assert after.file_meta.ImplementationVersionName == "ORTHANC_FAST_01"


# Encapsulation


def test_one_fragment_for_each_frame_and_an_offset_table() -> None:
    pixels = np.stack([generated.anatomy(32, seed) for seed in range(5)]).astype("u2")
    data = file_of(pixels, 12, frames=5)
    dataset = read(to(data, syntaxes.JPEG_LS_LOSSLESS).data)
    fragments, offsets = pydicom.encaps.parse_fragments(dataset.PixelData[8 + 20 :])
    table = pydicom.encaps.parse_basic_offsets(dataset.PixelData)
    assert fragments == 5
    assert table == offsets
    np.testing.assert_array_equal(dataset.pixel_array, pixels)


def test_offsets_that_32_bits_cannot_hold() -> None:
    frames = [b"first", b"second", b"third!"]
    value = encapsulate(frames, max_offset=10)
    assert value.extended is not None
    found = list(generate_frames(b"".join(value.parts), extended_offsets=value.extended))
    assert found == [b"first\0", b"second", b"third!"]
    assert pydicom.encaps.parse_basic_offsets(b"".join(value.parts)) == []


def test_frames_that_no_fragment_can_hold() -> None:
    """The limit is that of a length of 32 bits; here it is smaller. Frames are padded."""
    assert b"12345\0" in b"".join(encapsulate([b"12345", b"123456"], max_fragment=6).parts)
    with pytest.raises(NotImplementedYet, match="does not fit into a fragment"):
        encapsulate([b"1", b"1234567"], max_fragment=6)


# Refused


def test_pixels_of_more_than_4_gib() -> None:
    """Announced by a file of a few bytes: refused before anything is decoded."""
    pixels = item(b"") + item(bytes(64)) + item(bytes(64))
    data = image_file(pixels, syntaxes.RLE, "OB", Rows=65535, Columns=65535, NumberOfFrames=2)
    with pytest.raises(NotImplementedYet, match="would exceed 4 GiB"):
        to(data, syntaxes.EXPLICIT_LITTLE)


@pytest.mark.parametrize("uid", ["", "LittleEndianExplicit", "1.2.840.10008.1.2.4.99"])
def test_unknown_syntaxes(uid: str) -> None:
    with pytest.raises(ParameterOutOfRange, match=f"Unknown transfer syntax: {uid}"):
        to(file_of(IMAGES["8 bits"][0]), uid)


@pytest.mark.parametrize("number", ["4.53", "4.92", "4.100", "4.110", "6.1"])
def test_syntaxes_that_nobody_writes(number: str) -> None:
    with pytest.raises(NotImplementedYet):
        to(file_of(IMAGES["8 bits"][0]), f"1.2.840.10008.1.2.{number}")


def test_loss_that_is_not_wanted() -> None:
    data = file_of(IMAGES["8 bits"][0])
    with pytest.raises(NotImplementedYet, match="lossy"):
        transcode(data, syntaxes.JPEG_BASELINE, 90, DICTIONARY, may_lose=False)


@given(
    st.sampled_from(["JPEG2000.dcm", "MR_small_RLE.dcm", "UN_sequence.dcm", "color-pl.dcm"]),
    st.sampled_from([*LOSSLESS, *LOSSY]),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=6),
    st.floats(0.2, 1),
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_damaged_files_are_refused_or_transcoded(
    name: str, uid: str, changes: list[tuple[float, int]], kept: float
) -> None:
    data = bytearray(file_named(name).read_bytes())
    del data[int(len(data) * kept) :]
    for place, value in changes:
        data[int(place * (len(data) - 1))] = value
    try:
        made = to(bytes(data), uid)
    except OrthancError:
        return
    assert made.data[128:132] == b"DICM"
