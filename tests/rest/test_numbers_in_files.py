"""Texts of files that should be numbers and are not, or are larger than any number: the file is
stored, and no answer about it or about others breaks off."""

import io
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
from support.encoded import element, file_of, item
from support.server import OurServer

# More digits than Python's int() takes.
MANY = b"9" * 4301
ODD = [b"--8", b"+-8", b"9" * 20, MANY, b"-" + MANY, b"1_0", b"\xb2", b"8\\9", b"", b" ", b"1e400"]
# All that the index or the frame map reads as a number, and whatever VR the standard gives it.
NUMBERS = (
    *(0x00181090, 0x00200011, 0x00200012, 0x00200013, 0x00200032, 0x00200037, 0x00200100),
    *(0x00200105, 0x00201002, 0x00280002, 0x00280006, 0x00280008, 0x00280010, 0x00280011),
    *(0x00280030, 0x00280100, 0x00280101, 0x00280102, 0x00280103, 0x00281050, 0x00281051),
    *(0x00281052, 0x00281053, 0x00540081, 0x00540101, 0x00541330),
)
LEVELS = {"patients": "Patient", "studies": "Study", "series": "Series", "instances": "Instance"}
PIXELS = (0x7FE00010, "OB", b"abcd")


@pytest.fixture(scope="module")
def client(our_server: OurServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=our_server.url, timeout=60) as found:
        yield found


def stored(client: httpx.Client, data: bytes) -> dict[str, str]:
    answer = client.post("/instances", content=data)
    assert answer.status_code == 200, answer.text
    found: dict[str, str] = answer.json()
    return found


@pytest.mark.parametrize("value", ODD, ids=lambda value: f"{value[:8]!r}x{len(value)}")
def test_one_odd_file_breaks_no_answer(client: httpx.Client, value: bytes) -> None:
    odd = stored(client, file_of(*((tag, "LT", value) for tag in NUMBERS), PIXELS))
    good = stored(client, file_of((0x00200013, "IS", b"1"), PIXELS))
    for level, name in LEVELS.items():
        answer = client.get(f"/{level}?expand")
        assert answer.status_code == 200
        found = {entry["ID"] for entry in answer.json()}
        if level == "instances":
            assert {odd["ID"], good["ID"]} <= found
        for direction in ("ASC", "DESC"):
            for kind in ("DicomTag", "DicomTagAsInt", "DicomTagAsFloat"):
                order = [{"Type": kind, "Key": "InstanceNumber", "Direction": direction}]
                query = {"Level": name, "Query": {}, "Expand": True}
                if level == "instances":
                    query["OrderBy"] = order
                answer = client.post("/tools/find", json=query)
                assert answer.status_code == 200, answer.text
                assert {entry["ID"] for entry in answer.json()} == found
    series, instance = f"/series/{odd['ParentSeries']}", f"/instances/{odd['ID']}"
    of_series = [f"{series}/{path}" for path in ("numpy", "ordered-slices", "volume", "geometry")]
    pictures = ("numpy", "image-uint16", "rendered", "preview", "matlab", "frames", "frames/0/raw")
    for path in [*of_series, *(f"{instance}/{path}" for path in pictures)]:
        assert "unhandled exception" not in client.get(path).text, path


def test_an_image_module_in_un_is_shown(client: httpx.Client) -> None:
    """PS3.5 section 6.2.2: the dictionary knows what a known element in UN is."""
    pixels = np.arange(64, dtype="<u2") * 60
    numbers = {0x00280002: 1, 0x00280010: 8, 0x00280011: 8, 0x00280100: 16, 0x00280101: 16}
    numbers |= {0x00280102: 15, 0x00280103: 0}
    values = [(tag, "UN", number.to_bytes(2, "little")) for tag, number in numbers.items()]
    kind = (0x00280004, "CS", b"MONOCHROME2")
    data = file_of(*values, kind, (0x7FE00010, "OW", pixels.tobytes()))
    instance = f"/instances/{stored(client, data)['ID']}"
    array = np.load(io.BytesIO(client.get(f"{instance}/numpy?rescale=0").content))
    assert array.ravel().tolist() == pixels.tolist()
    for path in ("image-uint16", "rendered", "preview"):
        answer = client.get(f"{instance}/{path}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png"), path


@pytest.mark.parametrize(
    ("value", "number", "kept"),
    [
        (MANY, None, None),  # as Orthanc, which keeps texts up to 256 bytes
        (b"9" * 256, None, "9" * 256),
        (b"4294967296", None, "4294967296"),
        (b"4294967295", 4294967295, "4294967295"),
        (b"0" * 255 + b"7", 7, "0" * 255 + "7"),
        (b"+5", 5, "+5"),
        (b"-5", None, "-5"),
        (b"-0", None, "-0"),
        (b"1_0", None, "1_0"),
        (b"5\\6", None, "5\\6"),
    ],
)
def test_index_in_series(
    client: httpx.Client, value: bytes, number: int | None, kept: str | None
) -> None:
    instance = f"/instances/{stored(client, file_of((0x00200013, 'IS', value)))['ID']}"
    assert client.get(instance).json()["IndexInSeries"] == number
    assert client.get(f"{instance}/metadata?expand").json().get("IndexInSeries") == kept


@pytest.mark.parametrize(
    ("factors", "expected"),
    [
        ((b"3", b"2"), 6),
        ((b"+3", b"2"), 6),
        ((b"-3", b"-2"), 6),
        ((b"3", b""), None),
        ((b"3\\4", b"1"), None),
        ((b"2147483648", b"1"), 2147483648),
        ((b"4294967296", b"1"), None),
        ((b"18446744073709551615", b"1"), None),
        ((b"9" * 256, b"9" * 256), None),
        ((b"0", b"1"), None),
    ],
)
def test_expected_number(
    client: httpx.Client, factors: tuple[bytes, bytes], expected: int | None
) -> None:
    first, second = factors
    data = file_of((0x00201002, "IS", first), (0x00200105, "IS", second))
    series = client.get(f"/series/{stored(client, data)['ParentSeries']}").json()
    assert series["ExpectedNumberOfInstances"] == expected
    assert series["Status"] == ("Unknown" if expected is None else "Missing")


def test_data_set_models(client: httpx.Client) -> None:
    inner = item(element(0x00200013, "IS", MANY + b" "))
    data = file_of((0x00200013, "IS", b"5\\" + MANY), (0x00081140, "SQ", inner))
    path = f"/instances/{stored(client, data)['ID']}/file"
    shown = client.get(path, headers={"Accept": "application/dicom+json"}).json()
    assert shown["00200013"]["Value"] == [5]
    assert shown["00081140"]["Value"] == [{"00200013": {"Value": [], "vr": "IS"}}]
    assert client.get(path, headers={"Accept": "application/dicom+xml"}).status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("frames/{many}/numpy", 400),
        ("frames/{many}/raw", 404),
        ("content/7fe0-0010/{many}", 400),
        ("content/0008-1140/{many}", 404),
        ("preview?quality={many}", 415),
        ("rendered?width={many}", 404),
        ("file?transcode=1.2.840.10008.1.2.4.50&lossy-quality={many}", 400),
    ],
)
def test_numbers_in_requests(client: httpx.Client, path: str, status: int) -> None:
    values = {0x00280010: 2, 0x00280011: 2, 0x00280002: 1, 0x00280100: 8, 0x00280101: 8}
    numbers = ((tag, "US", number.to_bytes(2, "little")) for tag, number in values.items())
    rest = ((0x00280004, "CS", b"MONOCHROME2"), (0x00081140, "SQ", item(b"")), PIXELS)
    instance = stored(client, file_of(*numbers, *rest))["ID"]
    answer = client.get(f"/instances/{instance}/{path.format(many=MANY.decode())}")
    assert answer.status_code == status, answer.text


def test_the_port_of_a_modality(client: httpx.Client) -> None:
    answer = client.put("/modalities/odd", json=["ODD", "localhost", MANY.decode()])
    assert answer.status_code == 400
