"""Frames, raw pixels, Matlab text and PDF documents against Orthanc 1.13 and the files
themselves. Source: reference chapter 2, sections 4 and 6."""

import gzip
import io
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, generate_uid
from support import generated
from support.files import file_named
from support.images import image_file
from support.pair import Call, Pair, assert_same, started_pair

from orthanc_fast.transfer_syntaxes import EXPLICIT_LITTLE

PDF = "1.2.840.10008.5.1.4.1.1.104.1"
MPEG4 = "1.2.840.10008.1.2.4.102"
JPEG = "SC_rgb_dcmtk_+eb+cr.dcm"
JPEG_2000 = "JPEG2000.dcm"

FILES = {
    "ct": "CT_small.dcm",
    "rgb": "SC_rgb.dcm",
    "wide": "color-px.dcm",
    "big": "MR_small_bigendian.dcm",
    "many": "emri_small.dcm",
    "jpeg": JPEG,
    "jpeg2000": JPEG_2000,
    "rle": "MR_small_RLE.dcm",
    "report": "reportsi.dcm",
    "no-number": "badVR.dcm",
}

DOCUMENT = b"%PDF-1.4\n1 0 obj<<>> endobj\ntrailer <<>>\n%%EOF\n"


def document(content: bytes, kind: str = "application/pdf", sop_class: str = PDF) -> FileDataset:
    dataset = generated.base(sop_class, "DOC")
    dataset.EncapsulatedDocument = content
    dataset.MIMETypeOfEncapsulatedDocument = kind
    return dataset


def with_length(content: bytes) -> FileDataset:
    dataset = document(content + bytes(len(content) % 2))
    dataset.EncapsulatedDocumentLength = len(content)
    return dataset


def video() -> FileDataset:
    """What could be a stream, in two fragments, of 50 frames."""
    dataset = generated.base("1.2.840.10008.5.1.4.1.1.77.1.4.1", "XC")
    generated.add_pixels(dataset, np.zeros((16, 16, 3), "u1"), 50)
    dataset.PhotometricInterpretation = "YBR_PARTIAL_420"
    dataset.PixelData = encapsulate([VIDEO], fragments_per_frame=2, has_bot=False)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = UID(MPEG4)
    return dataset


VIDEO = bytes(range(256)) * 300

GENERATED = {
    "pdf": document(DOCUMENT + b"\0"),
    "pdf-even": document(DOCUMENT.rstrip()),
    "pdf-length": with_length(DOCUMENT.rstrip() + b"\0"),
    "pdf-capitals": document(DOCUMENT + b"\0", "Application/PDF "),
    "pdf-class": document(DOCUMENT + b"\0", sop_class="1.2.840.10008.5.1.4.1.1.104.2"),
    "video": video(),
}


@pytest.fixture(scope="module")
def pair(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with started_pair(tmp_path_factory.mktemp("frames"), {}) as pair:
        contents = {name: file_named(file).read_bytes() for name, file in FILES.items()}
        for number, (name, dataset) in enumerate(GENERATED.items()):
            contents[name] = generated.encode(dataset).number(5, 5, 5, 50 + number)
        for name, data in contents.items():
            answers = [c.post("/instances", content=data) for c in (pair.ours, pair.theirs)]
            assert answers[0].json() == answers[1].json(), name
            pair.names[name] = answers[0].json()["ID"]
        yield pair


def get(pair: Pair, path: str) -> tuple[httpx.Response, httpx.Response]:
    name, _, rest = path.partition("/")
    return pair.send(Call("GET", f"/instances/{pair.names.get(name, name)}/{rest}"))


SAME = [
    *(f"{name}/frames" for name in (*FILES, "video", "pdf")),
    "ct/frames/0",
    "ct/frames/7",
    "ct/frames/foo",
    "nope/frames/0",
    "nope/frames",
    "nope/frames/0/raw",
    "nope/frames/0/nope",
    "nope/matlab",
    "nope/pdf",
    *(f"{name}/frames/0/raw" for name in ("ct", "rgb", "wide", "big", "jpeg", "jpeg2000", "rle")),
    "many/frames/9/raw",
    "many/frames/10/raw",
    "ct/frames/%2B0/raw",
    "ct/frames/-1/raw",
    "ct/frames/4294967295/raw",
    "ct/frames/4294967296/raw",
    "ct/frames/foo/raw",
    "ct/frames/foo/raw.gz",
    "ct/frames/foo/matlab",
    "ct/frames/1/raw.gz",
    "ct/matlab",
    "ct/frames/0/matlab",
    "many/frames/9/matlab",
    "rgb/matlab",
    "rle/matlab",
    "report/matlab",
    "ct/pdf",
    "report/pdf",
    "pdf/pdf",
    "pdf-capitals/pdf",
    "pdf-class/pdf",
    "report/frames/0/raw",
    "pdf/frames/0/raw",
    "ct/frames/1/matlab",
    "ct/frames/-1/matlab",
]


@pytest.mark.parametrize("path", SAME)
def test_answers_are_those_of_orthanc(pair: Pair, path: str) -> None:
    ours, theirs = get(pair, path)
    assert_same(Call("GET", path), ours, theirs)


@pytest.mark.parametrize("name", ["ct", "jpeg2000"])
def test_raw_gzip_is_raw_compressed(pair: Pair, name: str) -> None:
    plain = get(pair, f"{name}/frames/0/raw")[0].content
    packed = pair.ours.get(f"/instances/{pair.names[name]}/frames/0/raw.gz")
    assert packed.headers["content-type"] == "application/gzip"
    assert gzip.decompress(packed.content) == plain


def test_raw_is_what_the_file_holds(pair: Pair) -> None:
    assert get(pair, "ct/frames/0/raw")[0].content == dcmread(file_named("CT_small.dcm")).PixelData
    big = dcmread(file_named("MR_small_bigendian.dcm"))
    swapped = big.pixel_array.astype("<i2").tobytes()
    assert get(pair, "big/frames/0/raw")[0].content == swapped


def test_a_large_frame_is_streamed(pair: Pair) -> None:
    dataset = generated.base()
    generated.add_pixels(dataset, generated.anatomy(1700))
    data = generated.encode(dataset).number(5, 5, 5, 98)
    identifier = pair.ours.post("/instances", content=data).json()["ID"]
    answer = pair.ours.get(f"/instances/{identifier}/frames/0/raw")
    assert answer.headers["content-length"] == str(2 * 1700 * 1700)
    assert answer.content == dataset.PixelData
    packed = pair.ours.get(f"/instances/{identifier}/frames/0/raw.gz")
    assert gzip.decompress(packed.content) == dataset.PixelData


def test_videos_are_given_as_they_are(pair: Pair) -> None:
    ours, theirs = get(pair, "video/frames/0/raw")
    assert ours.content == theirs.content == VIDEO
    assert ours.headers["content-type"] == theirs.headers["content-type"]
    assert [answer.json() for answer in get(pair, "video/frames")] == [[0], [0]]
    assert get(pair, "video/preview")[0].status_code == 415


def test_matlab_reads_wide_colour_in_its_own_shape(pair: Pair) -> None:
    """Orthanc swaps rows and columns; docs/deviations.md."""
    ours, theirs = (answer.text for answer in get(pair, "wide/matlab"))
    head, _, tail = ours.partition(" ], [ ")
    assert tail == "3 256 120 ]), [ 3 2 1 ]))"
    assert theirs == f"{head} ], [ 3 120 256 ]), [ 3 2 1 ]))"
    values = np.array(head.rpartition("[ ")[2].split(), "u1")
    # What Matlab makes of it: columns first, then the axes turned round.
    pixels = values.reshape((3, 256, 120), order="F").transpose(2, 1, 0)
    np.testing.assert_array_equal(pixels, dcmread(file_named("color-px.dcm")).pixel_array)


def test_documents_come_back(pair: Pair) -> None:
    ours, theirs = get(pair, "pdf/pdf")
    assert ours.content == theirs.content == DOCUMENT
    # Orthanc takes the last byte off whatever it is.
    ours, theirs = get(pair, "pdf-even/pdf")
    assert ours.content == DOCUMENT.rstrip()
    assert theirs.content == DOCUMENT.rstrip()[:-1]
    assert get(pair, "pdf-length/pdf")[0].content == DOCUMENT.rstrip() + b"\0"


def test_more_frames_than_the_file_can_hold_are_not_listed(pair: Pair) -> None:
    dataset = generated.base()
    generated.add_pixels(dataset, generated.anatomy(16))
    dataset.NumberOfFrames = 2_000_000_000
    data = generated.encode(dataset).number(5, 5, 5, 99)
    identifier = pair.ours.post("/instances", content=data).json()["ID"]
    answer = pair.ours.get(f"/instances/{identifier}/frames")
    assert answer.status_code == 400
    assert answer.json()["OrthancStatus"] == 15


@pytest.mark.parametrize(
    "change",
    [
        {"NumberOfFrames": ["2", "3"]},
        {"NumberOfFrames": ["1", "1"]},
        {"Rows": 0xFFFF, "Columns": 0xFFFF, "BitsAllocated": 16},  # 8 GiB
    ],
    ids=["two numbers", "one number twice", "above 4 GiB"],
)
def test_what_no_frame_can_be_is_refused_as_by_orthanc(
    pair: Pair, change: dict[str, object]
) -> None:
    unique = {"SOPInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid()}
    data = image_file(bytes(48), EXPLICIT_LITTLE, "OW", **unique, **change)
    answers = [c.post("/instances", content=data).json() for c in (pair.ours, pair.theirs)]
    assert answers[0] == answers[1]
    paths = ["frames/0/raw", "frames/1/raw", "preview", "frames/0/preview", "numpy"]
    if "NumberOfFrames" in change:
        paths.append("frames")
    for path in paths:
        ours, theirs = get(pair, f"{answers[0]['ID']}/{path}")
        expected = 415 if path.endswith("preview") else 400
        assert (ours.status_code, theirs.status_code) == (expected, expected), path


def test_every_operation_that_is_listed_exists(pair: Pair) -> None:
    base = f"/instances/{pair.names['ct']}/frames/0"
    listed = pair.ours.get(base).json()
    for operation in listed:
        assert pair.ours.get(f"{base}/{operation}").status_code == 200, operation
    assert io.BytesIO(pair.ours.get(f"{base}/preview").content).read(4) == b"\x89PNG"
