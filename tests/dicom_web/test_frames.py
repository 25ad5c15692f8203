"""Frames by WADO-RS beside the plugin."""

import io

import httpx
import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames
from support import generated
from support.dicom_web import DicomWebPair, parts
from support.files import file_named
from support.images import image_file, image_in, item

MULTIPART = "multipart/related"
STORED = f"{MULTIPART}; type=application/octet-stream; transfer-syntax=*"
EXPLICIT = "1.2.840.10008.1.2.1"
JPEG = "1.2.840.10008.1.2.4"

NATIVE = ("CT_small.dcm", "MR_small_bigendian.dcm", "image_dfl.dcm", "SC_rgb_small_odd.dcm")
BITS = ("liver.dcm",)
LOSSLESS = ("SC_rgb_rle_2frame.dcm", "emri_small_jpeg_ls_lossless.dcm")
LOSSY = ("SC_rgb_jpeg_dcmtk.dcm", "JPEG-lossy.dcm")
UNDECODABLE_THERE = ("JPEG2000.dcm", "US1_J2KR.dcm")
DECODED_THERE = (*NATIVE, *BITS, *LOSSLESS, *LOSSY)
FILES = (*DECODED_THERE, *UNDECODABLE_THERE)


def path_of(data: bytes) -> str:
    uids = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
    return (
        f"/dicom-web/studies/{uids.StudyInstanceUID}/series/{uids.SeriesInstanceUID}"
        f"/instances/{uids.SOPInstanceUID}/frames"
    )


def accept(value: str) -> dict[str, str]:
    return {"accept": value}


@pytest.fixture(scope="module")
def files(pair: DicomWebPair) -> dict[str, bytes]:
    found = {name: file_named(name).read_bytes() for name in FILES}
    pair.store(*found.values())
    return found


@pytest.fixture(scope="module")
def emri(ours: httpx.Client) -> bytes:
    """Ten frames of RLE."""
    data = file_named("emri_small_RLE.dcm").read_bytes()
    ours.post("/instances", content=data)
    return data


def only_part(answer: httpx.Response) -> bytes:
    assert answer.status_code == 200, answer.text
    (part,) = parts(answer)
    return part.content


# Equal to the plugin


@pytest.mark.parametrize("name", FILES)
def test_as_stored(pair: DicomWebPair, files: dict[str, bytes], name: str) -> None:
    ours, theirs = pair.get(f"{path_of(files[name])}/1", headers=accept(STORED))
    assert only_part(ours) == only_part(theirs)
    mine, expected = parts(ours)[0].headers, parts(theirs)[0].headers
    assert list(mine) == list(expected)
    if name == "image_dfl.dcm":  # the plugin labels plain bytes as deflated
        assert mine["content-type"] == f"application/octet-stream; transfer-syntax={EXPLICIT}"
    else:
        assert mine["content-type"] == expected["content-type"]
    kinds = [answer.headers["content-type"].partition("; boundary")[0] for answer in (ours, theirs)]
    assert kinds[0] == f'multipart/related; type="{mine["content-type"]}"'
    assert kinds[1] == f'multipart/related; type="{expected["content-type"]}"'
    locations = [each["content-location"].partition("/dicom-web/") for each in (mine, expected)]
    assert locations[0][2] == locations[1][2]
    assert f"{locations[0][0]}/" == str(pair.ours.base_url).rstrip("/") + "/"


@pytest.mark.parametrize("name", DECODED_THERE)
@pytest.mark.parametrize("value", ["*/*", f"{MULTIPART}; transfer-syntax={EXPLICIT}"])
def test_uncompressed(pair: DicomWebPair, files: dict[str, bytes], name: str, value: str) -> None:
    ours, theirs = pair.get(f"{path_of(files[name])}/1", headers=accept(value))
    mine, expected = only_part(ours), only_part(theirs)
    assert parts(ours)[0].headers["content-type"] == parts(theirs)[0].headers["content-type"]
    if name in LOSSY:
        kind = "u1" if name == "SC_rgb_jpeg_dcmtk.dcm" else "<i2"
        difference = np.frombuffer(mine, kind).astype(int) - np.frombuffer(expected, kind)
        assert np.abs(difference).max() <= 3
    else:
        assert mine == expected


@pytest.mark.parametrize("number", [1, 2, 3])
def test_frames_inside_of_bytes(pair: DicomWebPair, files: dict[str, bytes], number: int) -> None:
    ours, theirs = pair.get(f"{path_of(files['liver.dcm'])}/{number}")
    assert only_part(ours) == only_part(theirs)


@pytest.mark.parametrize("end", ["", ".1.99"])
def test_other_uncompressed_syntaxes(pair: DicomWebPair, files: dict[str, bytes], end: str) -> None:
    value = f"{STORED[:-1]}1.2.840.10008.1.2{end}"
    ours, theirs = pair.get(f"{path_of(files['CT_small.dcm'])}/1", headers=accept(value))
    assert only_part(ours) == only_part(theirs)


def test_big_endian(pair: DicomWebPair, files: dict[str, bytes]) -> None:
    """The plugin sends little endian under that name."""
    value = f"{STORED[:-1]}1.2.840.10008.1.2.2"
    for name in ("CT_small.dcm", "MR_small_bigendian.dcm"):
        ours, theirs = pair.get(f"{path_of(files[name])}/1", headers=accept(value))
        mine, expected = only_part(ours), only_part(theirs)
        assert np.frombuffer(mine, ">u2").tolist() == np.frombuffer(expected, "<u2").tolist()


@pytest.mark.parametrize(
    ("value", "syntax"),
    [
        ('type="image/jpeg"', ".70"),
        ('type="image/jpeg"; transfer-syntax=1.2.840.10008.1.2.4.57', ".57"),
        ("type=image/jls", ".80"),
        ('type="image/dicom+jpeg-ls"', ".80"),
        ("transfer-syntax=1.2.840.10008.1.2.4.70", ".70"),
        ("transfer-syntax=1.2.840.10008.1.2.4.80", ".80"),
    ],
)
def test_encoded(pair: DicomWebPair, files: dict[str, bytes], value: str, syntax: str) -> None:
    path = f"{path_of(files['CT_small.dcm'])}/1"
    answers = pair.get(path, headers=accept(f"{MULTIPART}; {value}"))
    shown = [image_of(answer, JPEG + syntax, files["CT_small.dcm"]) for answer in answers]
    np.testing.assert_array_equal(shown[0], shown[1])
    kinds = {parts(answer)[0].headers["content-type"] for answer in answers}
    assert len(kinds) == 1


def image_of(answer: httpx.Response, syntax: str, like: bytes) -> np.ndarray:
    """What a codestream shows, in a file of its own."""
    template = pydicom.dcmread(io.BytesIO(like))
    items = item(b"")
    content = only_part(answer)
    items += item(content + b"\0" * (len(content) % 2))
    names = ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit")
    given = {name: template[name].value for name in (*names, "PixelRepresentation")}
    data = image_file(items, syntax, "OB", **given)
    with image_in(data) as image:
        return image.decode(0).copy()


def test_several_in_their_order(pair: DicomWebPair, files: dict[str, bytes]) -> None:
    path = path_of(files["emri_small_jpeg_ls_lossless.dcm"])
    for numbers in ("3,1,3", "10%2C9", "007,1"):
        ours, theirs = pair.get(f"{path}/{numbers}", headers=accept(STORED))
        assert [part.content for part in parts(ours)] == [part.content for part in parts(theirs)]
        locations = [
            [part.headers["content-location"].rpartition("/")[2] for part in parts(answer)]
            for answer in (ours, theirs)
        ]
        assert locations[0] == locations[1]


@pytest.mark.parametrize(
    "numbers",
    [
        *("0", "-1", "11", "1,11", "abc", "1,", "1,,2", "1,%202", ",", "+1", "1.0", "1,0"),
        *("1000000000", "99999999999999", "9" * 5000, "1a", "-", "²"),
    ],
)
def test_numbers_that_are_none(pair: DicomWebPair, files: dict[str, bytes], numbers: str) -> None:
    path = path_of(files["emri_small_jpeg_ls_lossless.dcm"])
    ours, theirs = pair.get(f"{path}/{numbers}")
    assert (ours.status_code, theirs.status_code) == (400, 400)
    assert ours.json()["OrthancStatus"] == theirs.json()["OrthancStatus"]


def test_unknown_instance(pair: DicomWebPair) -> None:
    path = "/dicom-web/studies/1/series/2/instances/3/frames"
    for numbers, status in (("1", 404), ("0", 400)):
        ours, theirs = pair.get(f"{path}/{numbers}")
        assert (ours.status_code, theirs.status_code) == (status, status)
        assert ours.json()["OrthancStatus"] == theirs.json()["OrthancStatus"]


def test_no_pixel_data(pair: DicomWebPair) -> None:
    data = file_named("rtplan.dcm").read_bytes()
    pair.store(data)
    ours, theirs = pair.get(f"{path_of(data)}/1")
    assert (ours.status_code, theirs.status_code) == (400, 400)
    assert ours.json()["OrthancStatus"] == theirs.json()["OrthancStatus"] == 8


# Beyond the plugin


def test_all_frames(ours: httpx.Client, emri: bytes) -> None:
    answer = ours.get(path_of(emri), headers=accept(STORED))
    stored = list(generate_frames(pydicom.dcmread(io.BytesIO(emri)).PixelData, number_of_frames=10))
    assert [part.content for part in parts(answer)] == stored
    assert answer.headers["transfer-encoding"] == "chunked"
    assert answer.headers["connection"] == "keep-alive"
    decoded = ours.get(f"{path_of(emri)}/", headers=accept("*/*"))
    expected = pydicom.dcmread(io.BytesIO(emri)).pixel_array
    found = [np.frombuffer(part.content, "<u2").reshape(64, 64) for part in parts(decoded)]
    np.testing.assert_array_equal(np.stack(found), expected)


@pytest.mark.parametrize("name", UNDECODABLE_THERE)
def test_decoded_where_the_plugin_cannot(ours: httpx.Client, name: str) -> None:
    data = file_named(name).read_bytes()
    ours.post("/instances", content=data)
    answer = ours.get(f"{path_of(data)}/1")
    expected = pydicom.dcmread(io.BytesIO(data)).pixel_array
    found = np.frombuffer(only_part(answer), expected.dtype.newbyteorder("<"))
    np.testing.assert_allclose(found.reshape(expected.shape), expected, atol=1)


@pytest.mark.parametrize(
    ("value", "kind", "syntax"),
    [
        ('type="image/jp2"', "image/jp2", ".90"),
        ("type=image/jphc", "image/jphc", ".201"),
        ("type=image/dicom-rle", "image/dicom-rle", "1.2.840.10008.1.2.5"),
        ('type="image/*"', "image/dicom-rle", "1.2.840.10008.1.2.5"),
        ('type="*/*"', "application/octet-stream", EXPLICIT),
        ('type="*/*"; transfer-syntax=*', "image/dicom-rle", "1.2.840.10008.1.2.5"),
        ('type="image/jpeg;transfer-syntax=1.2.840.10008.1.2.4.57"', "image/jpeg", ".57"),
        ("type=image/dicom-rle; transfer-syntax=*", "image/dicom-rle", "1.2.840.10008.1.2.5"),
        ("type=image/jpeg; q=0.2, image/jls", "image/jls", ".80"),
        ("type=video/mp4, multipart/related; type=image/jls", "image/jls", ".80"),
    ],
)
def test_negotiated(ours: httpx.Client, emri: bytes, value: str, kind: str, syntax: str) -> None:
    answer = ours.get(f"{path_of(emri)}/2", headers=accept(f"{MULTIPART}; {value}"))
    uid = JPEG + syntax if syntax.startswith(".") else syntax
    content_type = answer.headers["content-type"]
    if content_type.startswith(MULTIPART):
        (part,) = parts(answer)
        content_type = part.headers["content-type"]
    assert content_type == f"{kind}; transfer-syntax={uid}"


@pytest.mark.parametrize(
    "value",
    [
        "application/dicom",
        "text/html",
        "",
        "image/jpeg; transfer-syntax=*",
        'multipart/related; type="image/jpeg"; transfer-syntax=1.2.840.10008.1.2.4.80',
        'multipart/related; type="image/jxl"',
        "video/mp4",
        f"{STORED[:-1]}1.2.840.10008.1.2.4.102",
    ],
)
def test_not_acceptable(ours: httpx.Client, emri: bytes, value: str) -> None:
    answer = ours.get(f"{path_of(emri)}/1", headers=accept(value))
    assert (answer.status_code, answer.json()["OrthancStatus"]) == (406, 8)


def test_unknown_transfer_syntax(ours: httpx.Client, emri: bytes) -> None:
    answer = ours.get(f"{path_of(emri)}/1", headers=accept(f"{STORED[:-1]}1.2.3"))
    assert (answer.status_code, answer.json()["OrthancStatus"]) == (400, 8)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("application/octet-stream", f"application/octet-stream; transfer-syntax={EXPLICIT}"),
        ("image/jls", f"image/jls; transfer-syntax={JPEG}.80"),
        ("image/*", "image/dicom-rle; transfer-syntax=1.2.840.10008.1.2.5"),
        (
            "application/octet-stream; transfer-syntax=*",
            "image/dicom-rle; transfer-syntax=1.2.840.10008.1.2.5",
        ),
    ],
)
def test_single_part(ours: httpx.Client, emri: bytes, value: str, kind: str) -> None:
    path = f"{path_of(emri)}/3"
    answer = ours.get(path, headers=accept(value))
    assert answer.headers["content-type"] == kind
    part = only_part(ours.get(path, headers=accept(f'{MULTIPART}; type="{value}"')))
    assert answer.content == part
    asked = ours.get(f"{path}?accept={value}", headers=accept("*/*"))
    assert asked.content == part
    again = ours.get(path, headers={"accept": value, "if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    piece = ours.get(path, headers={"accept": value, "range": "bytes=10-19"})
    assert (piece.status_code, piece.content) == (206, part[10:20])
    several = ours.get(f"{path},4", headers=accept(value))
    assert several.status_code == 406


def test_validator_of_one_part(ours: httpx.Client, emri: bytes) -> None:
    path = f"{path_of(emri)}/1"
    tag = ours.get(path, headers=accept(STORED)).headers["etag"]
    assert ours.get(path, headers={"accept": STORED, "if-none-match": tag}).status_code == 304
    other = ours.get(f"{path_of(emri)}/2", headers={"accept": STORED, "if-none-match": tag})
    assert other.status_code == 200


def test_fragments_are_joined(ours: httpx.Client) -> None:
    image = file_named("SC_rgb_jpeg_dcmtk.dcm").read_bytes()
    stream = next(generate_frames(pydicom.dcmread(io.BytesIO(image)).PixelData, number_of_frames=1))
    pieces = [stream[at : at + 100] for at in range(0, len(stream), 100)]
    data = image_file(
        item(b"") + b"".join(map(item, pieces * 2)),
        f"{JPEG}.50",
        "OB",
        SOPInstanceUID="1.2.3.90.1",
        Rows=100,
        Columns=100,
        SamplesPerPixel=3,
        PhotometricInterpretation="YBR_FULL_422",
        NumberOfFrames=2,
    )
    ours.post("/instances", content=data)
    answer = ours.get(f"{path_of(data)}/2,1,2", headers=accept(STORED))
    assert [part.content for part in parts(answer)] == [stream] * 3
    assert only_part(ours.get(f"{path_of(data)}/2", headers=accept(STORED))) == stream


@pytest.fixture(scope="module")
def video(ours: httpx.Client) -> tuple[bytes, bytes]:
    stream = bytes(range(256)) * 24000
    data = image_file(
        item(b"") + item(stream[: 4 << 20]) + item(stream[4 << 20 :]),
        f"{JPEG}.102",
        "OB",
        SOPInstanceUID="1.2.3.91.1",
        NumberOfFrames=50,
    )
    assert ours.post("/instances", content=data).status_code == 200
    return data, stream


@pytest.mark.parametrize(
    "value",
    [
        "*/*",
        STORED,
        'multipart/related; type="video/mp4"',
        "video/mp4",
        "video/*; transfer-syntax=*",
    ],
)
def test_video_is_sent_as_stored(
    ours: httpx.Client, video: tuple[bytes, bytes], value: str
) -> None:
    data, stream = video
    answer = ours.get(f"{path_of(data)}/1", headers=accept(value))
    kind = f"video/mp4; transfer-syntax={JPEG}.102"
    if value.startswith("video"):
        assert (answer.headers["content-type"], answer.content) == (kind, stream)
    else:
        assert only_part(answer) == stream
        assert parts(answer)[0].headers["content-type"] == kind
    assert int(answer.headers["content-length"]) == len(answer.content)


def test_range_of_a_video(ours: httpx.Client, video: tuple[bytes, bytes]) -> None:
    data, stream = video
    asked = {"accept": "video/mp4", "range": "bytes=4000000-4999999"}
    answer = ours.get(f"{path_of(data)}/1", headers=asked)
    assert (answer.status_code, answer.content) == (206, stream[4000000:5000000])
    assert ours.get(f"{path_of(data)}/2", headers=accept("*/*")).status_code == 400
    octets = accept("application/octet-stream")
    assert ours.get(f"{path_of(data)}/1", headers=octets).status_code == 406


def test_large_native_frame(ours: httpx.Client) -> None:
    pixels = np.arange(2000 * 1500, dtype="<u2").reshape(2000, 1500)
    dataset = generated.base()
    generated.add_pixels(dataset, pixels, 2)
    data = generated.encode(dataset).number(51, 51, 1, 1)
    ours.post("/instances", content=data)
    answer = ours.get(f"{path_of(data)}/2")
    assert only_part(answer) == pixels.tobytes()
    assert "content-length" in answer.headers
    both = ours.get(f"{path_of(data)}/2,1")
    assert [part.content for part in parts(both)] == [pixels.tobytes()] * 2
    asked = {"accept": "application/octet-stream", "range": "bytes=5999990-"}
    assert ours.get(f"{path_of(data)}/2", headers=asked).content == pixels.tobytes()[5999990:]


def test_missing_frame(ours: httpx.Client, emri: bytes) -> None:
    """What is there can be had; all frames are not a shorter list."""
    frames = list(generate_frames(pydicom.dcmread(io.BytesIO(emri)).PixelData, number_of_frames=10))
    data = image_file(
        item(b"") + b"".join(map(item, frames[:3])),
        "1.2.840.10008.1.2.5",
        "OB",
        SOPInstanceUID="1.2.3.92.1",
        Rows=64,
        Columns=64,
        BitsAllocated=16,
        NumberOfFrames=5,
    )
    assert ours.post("/instances", content=data).status_code == 200
    path = path_of(data)
    missing = ours.get(f"{path}/4", headers=accept(STORED))
    assert (missing.status_code, missing.json()["OrthancStatus"]) == (400, 15)
    assert only_part(ours.get(f"{path}/3", headers=accept(STORED))) == frames[2]
    with pytest.raises(httpx.RemoteProtocolError):
        ours.get(path, headers=accept(STORED))
