"""STOW-RS beside the plugin, and where it does better: docs/deviations.md, "DICOMweb"."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support import dicom_web, generated
from support.dicom_web import DicomWebPair
from support.server import OurServer
from support.stow import KIND, body, instance, outcome, post

STUDY = f"{generated.ROOT}.1"
OTHER = f"{generated.ROOT}.2"

ACCEPTED: dict[str, tuple[bytes, str, str]] = {
    "one": (body(instance(1)), KIND, ""),
    "again": (body(instance(1)), KIND, ""),
    "many": (body(*map(instance, range(1, 30))), KIND, ""),
    "several studies": (body(instance(1), instance(1, 2), instance(1, 3)), KIND, ""),
    "of the study": (body(instance(1)), KIND, STUDY),
    "no patient": (body(instance(1, 4, PatientID=None)), KIND, ""),
    "no part": (b"--BB--", KIND, ""),
    "nothing": (b"", KIND, ""),
    "preamble": (b"to be passed over\r\n" + body(instance(1)), KIND, ""),
    "line end first": (b"\r\n" + body(instance(1)), KIND, ""),
    "epilogue": (body(instance(1)) + b"\r\nto be passed over --BB\r\n", KIND, ""),
    "quoted": (body(instance(1)), KIND.replace("=BB", '="BB"'), ""),
    "not quoted": (body(instance(1)), "multipart/related;type=application/dicom;boundary=BB", ""),
    "order": (body(instance(1)), 'multipart/related; boundary=BB; type="application/dicom"', ""),
    "case": (body(instance(1)), 'Multipart/RELATED; TYPE="Application/Dicom"; Boundary=BB', ""),
    "more parameters": (body(instance(1)), KIND + "; transfer-syntax=1.2; start=x", ""),
    "long boundary": (
        body(instance(1), boundary=b"b" * 10_000),
        KIND.replace("=BB", "=" + "b" * 10_000),
        "",
    ),
    "syntax in the part": (
        body(instance(1), head=b"Content-Type: application/dicom; transfer-syntax=1.2.3\r\n"),
        KIND,
        "",
    ),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_as_the_plugin(pair: DicomWebPair, name: str) -> None:
    content, kind, study = ACCEPTED[name]
    ours, theirs = (post(client, content, study, kind) for client in pair)
    assert outcome(ours) == outcome(theirs)
    assert ours.headers["content-type"] == theirs.headers["content-type"]
    assert len(ours.json()) == len(theirs.json())


REFUSED = {
    "nothing said": (body(instance(1)), None),
    "no type": (body(instance(1)), "multipart/related; boundary=BB"),
    "no boundary": (body(instance(1)), 'multipart/related; type="application/dicom"'),
    "other type": (body(instance(1)), 'multipart/related; type="image/png"; boundary=BB'),
    "mixed": (body(instance(1)), 'multipart/mixed; type="application/dicom"; boundary=BB'),
}


@pytest.mark.parametrize("name", REFUSED)
def test_types_that_are_refused(pair: DicomWebPair, name: str) -> None:
    content, kind = REFUSED[name]
    ours, theirs = (post(client, content, kind=kind) for client in pair)
    assert (ours.status_code, theirs.status_code) == (415, 415)
    assert ours.json()["OrthancStatus"] == theirs.json()["OrthancStatus"] == 3000
    assert "application/dicom" in ours.json()["Details"]


# What is stored of a body, what fails: as the plugin says, but for the status where some were
# stored, and for what is not named there.
PARTLY = {
    "other study": (body(instance(1, 2)), STUDY, 409),
    "no such study": (body(instance(1)), "abc", 409),
    "mixed studies": (body(instance(1), instance(1, 2)), STUDY, 202),
    "no StudyInstanceUID": (body(instance(1, StudyInstanceUID=None)), "", 400),
    "no SeriesInstanceUID": (
        body(instance(1, SeriesInstanceUID=None), instance(2)),
        "",
        202,
    ),
    "garbage": (body(instance(1), b"garbage"), "", 202),
    "nothing but garbage": (body(b"garbage"), "", 400),
    "empty part": (body(b""), "", 400),
    "no SOPInstanceUID": (body(instance(1, SOPInstanceUID=None)), "", 400),
    "no SOPClassUID": (body(instance(1, SOPClassUID=None)), "", 400),
}


@pytest.mark.parametrize("name", PARTLY)
def test_failures(pair: DicomWebPair, name: str) -> None:
    content, study, status = PARTLY[name]
    ours, theirs = (outcome(post(client, content, study)) for client in pair)
    assert ours.status == status
    assert theirs.status == (status if status != 202 else 409 if study else 400)
    assert ours._replace(status=0, others=[]) == theirs._replace(status=0)
    parts = content.count(b"--BB\r\n")
    assert len(ours.stored) + len(ours.failed) + len(ours.others) == parts


def test_one_content_type_whatever_the_status(ours: httpx.Client) -> None:
    for content in (body(instance(1)), body(b"garbage"), body(instance(1), b"garbage")):
        kinds = post(ours, content).headers.get_list("content-type")
        assert kinds == ["application/dicom+json"]


def test_metadata_of_what_was_stored(pair: DicomWebPair) -> None:
    """Who has sent it is known here."""
    post(pair.ours, body(instance(50)))
    post(pair.theirs, body(instance(50)))
    found = []
    for client in pair:
        query = {"Level": "Instance", "Query": {"SOPInstanceUID": f"{STUDY}.1.50"}}
        (public,) = client.post("/tools/find", json=query).json()
        found.append(client.get(f"/instances/{public}/metadata?expand").json())
        del found[-1]["ReceptionDate"]
    ours, theirs = found
    assert ours.pop("RemoteIP") == "127.0.0.1"
    ours.pop("HttpUsername", None)
    assert ours == theirs
    assert ours["Origin"] == "Plugins"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/dicom+xml", "application/dicom+xml"),
        ("text/xml", "application/dicom+xml"),
        ("application/xml", "application/dicom+xml"),
        ("application/xml;q=0.5, application/dicom+json", "application/dicom+json"),
        ("text/html", "application/dicom+json"),
        ("*/*", "application/dicom+json"),
    ],
)
def test_what_the_client_accepts(pair: DicomWebPair, accept: str, kind: str) -> None:
    content = body(instance(1), instance(2))
    ours, theirs = (post(client, content, accept=accept) for client in pair)
    assert ours.headers["content-type"] == theirs.headers["content-type"] == kind
    if kind == "application/dicom+xml":
        port = f":{pair.theirs.base_url.port}/".encode()
        expected = theirs.content.replace(port, f":{pair.ours.base_url.port}/".encode())
        without = expected.replace(b'      <Value number="1" />\n', b"").split(b"\n")
        # The plugin has an empty value behind each item.
        assert [line.strip() for line in ours.content.split(b"\n")] == [
            line.strip() for line in without if b'<Value number="' not in line or b"</" in line
        ]


# --- where the plugin says 200 and stores nothing ---


def test_a_body_that_breaks_off(ours: httpx.Client) -> None:
    whole = body(instance(60), instance(61))
    for end in (len(whole) - 4, len(whole) - 6, len(whole) - 100, len(whole) // 2):
        answer = post(ours, whole[:end])
        assert answer.status_code == 400
        assert "closing boundary" in answer.text + answer.headers.get("warning", "")
    # The part before was whole, and is named.
    answer = post(ours, whole[: len(whole) - 100])
    assert [each[1] for each in outcome(answer).stored] == [f"{STUDY}.1.60"]
    assert answer.headers["content-type"] == "application/dicom+json"


@pytest.mark.parametrize(
    "content",
    [
        body(instance(1), boundary=b"CC"),
        body(instance(1)).replace(b"--BB\r\n", b"--BBx\r\n").replace(b"--BB--", b""),
        b"--BB\r\nContent-Type: application/dicom\r\n--BB--\r\n",
        b"--BB\r\n--BB\r\n--BB--\r\n",
        b"--BB\r\nX: " + b"x" * 70_000 + b"\r\n\r\n--BB--\r\n",
        b"--BB" + b" " * 2_000 + b"\r\n\r\n--BB--\r\n",
        b"garbage",
    ],
)
def test_bodies_that_are_none(ours: httpx.Client, content: bytes) -> None:
    answer = post(ours, content)
    assert answer.status_code == 400
    assert "multipart" in answer.json()["Details"]


@pytest.mark.parametrize(
    "content",
    [
        body(instance(1, ImageComments="\r\n--B\r\n--\r\nBB--BB--BBx\r\n--BBB")),
        body(instance(1), head=b""),
        body(instance(1), head=b"content-TYPE:Application/Dicom\r\n"),
        body(instance(1), head=b'Content-Type: application/dicom;\r\n x="y"\r\n'),
        body(instance(1)).replace(b"--BB\r\n", b"--BB \t\r\n"),
        body(instance(1), head=b"Content-Type: application/dicom\n").replace(
            b"dicom\n\r\n", b"dicom\n\n"
        ),
        body(instance(1)).replace(b"\r\n--BB", b"\n--BB").replace(b"BB\r\n", b"BB\n"),
    ],
    ids=["content", "no type", "case", "folded", "blanks", "LF in headers", "LF around boundaries"],
)
def test_what_the_plugin_passes_over(ours: httpx.Client, content: bytes) -> None:
    answer = outcome(post(ours, content))
    assert answer.status == 200
    assert [each[1] for each in answer.stored] == [f"{STUDY}.1.1"]


def test_parts_of_other_types_are_named(ours: httpx.Client) -> None:
    inner = body(instance(1), boundary=b"BBinner")
    kinds = (b"text/plain", b"application/octet-stream", b'multipart/related; boundary="BBinner"')
    start = b"".join(
        b"--BB\r\nContent-Type: " + kind + b"\r\n\r\n" + inner + b"\r\n" for kind in kinds
    )
    answer = outcome(post(ours, start + body(instance(2))))
    assert answer.status == 202
    assert [each[1] for each in answer.stored] == [f"{STUDY}.1.2"]
    assert answer.others == [0xC000] * 3
    assert outcome(post(ours, start + b"--BB--")).status == 400


def test_one_instance_without_multipart(ours: httpx.Client) -> None:
    answer = outcome(post(ours, instance(1), kind="application/dicom"))
    assert answer.status == 200
    assert len(answer.stored) == 1
    assert post(ours, b"garbage", kind="application/dicom").status_code == 400
    assert post(ours, b"", kind="application/dicom").status_code == 400
    assert post(ours, instance(1, 2), STUDY, kind="application/dicom").status_code == 409


def test_forms_and_encodings_are_refused_by_name(ours: httpx.Client) -> None:
    answer = post(ours, body(instance(1)), kind="multipart/form-data; boundary=BB")
    assert answer.status_code == 415
    assert "multipart/related" in answer.json()["Details"]
    packed = gzip.compress(body(instance(1)))
    answer = post(ours, packed, content_encoding="gzip")
    assert answer.status_code == 415
    assert "Content-Encoding" in answer.json()["Details"]
    assert post(ours, body(instance(1)), content_encoding="identity").status_code == 200


def test_chunks_of_any_size(ours: httpx.Client) -> None:
    content = body(*map(instance, range(1, 6)))
    for size in (1, 7, 100, 5000):
        chunks = (content[at : at + size] for at in range(0, len(content), size))
        answer = outcome(post(ours, chunks))
        assert (answer.status, len(answer.stored)) == (200, 5)


def test_a_thousand_of_which_some_are_broken(ours: httpx.Client) -> None:
    files = [instance(number, 9) for number in range(1000)]
    broken = range(3, 1000, 17)
    for number in broken:
        files[number] = files[number][:300] if number % 2 else instance(number, 8)
    files[500] = b""
    answer = outcome(post(ours, body(*files), f"{generated.ROOT}.9"))
    lost = {*broken, 500}
    root = f"{generated.ROOT}.9.1"
    assert answer.status == 202
    assert [uid for _, uid, _ in answer.stored] == [
        f"{root}.{number}" for number in range(1000) if number not in lost
    ]
    other = [number for number in broken if not number % 2]
    expected = [(generated.CT, f"{generated.ROOT}.8.1.{number}", 0x0110) for number in other]
    assert answer.failed == expected
    assert answer.others == [0xC000] * (len(lost) - len(other))
    query = {"Level": "Instance", "Query": {"StudyInstanceUID": f"{generated.ROOT}.9"}}
    assert len(ours.post("/tools/find", json=query).json()) == 1000 - len(lost)


def test_too_many_parts_that_are_none(ours: httpx.Client) -> None:
    part = b"--BB\r\nContent-Type: text/plain\r\n\r\n\r\n"
    answer = post(ours, part * 10_001 + b"--BB--")
    assert answer.status_code == 400
    assert "10000 parts" in answer.headers["warning"]
    assert len(outcome(answer).others) == 10_000


def test_addresses_behind_a_proxy(ours: httpx.Client) -> None:
    headers = {"x-forwarded-host": "pacs.example", "x-forwarded-proto": "https"}
    answer = post(ours, body(instance(1)), **headers).json()
    assert answer["00081190"]["Value"] == [f"https://pacs.example/dicom-web/studies/{STUDY}"]


# --- other configurations ---


@pytest.fixture(scope="module")
def utf8(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DicomWebPair]:
    options = {"DefaultEncoding": "Utf8", "MaximumStorageSize": 1, "MaximumStorageMode": "Reject"}
    with dicom_web.started(tmp_path_factory.mktemp("utf8"), options) as both:
        yield both


def test_character_set_of_the_server(utf8: DicomWebPair) -> None:
    ours, theirs = (outcome(post(client, body(instance(1)))) for client in utf8)
    assert ours == theirs
    assert ours.character_set == "ISO_IR 192"


def test_full_storage(utf8: DicomWebPair) -> None:
    """The plugin says 400, as if it were the client's fault."""
    content = body(instance(5, size=1000))
    ours, theirs = (outcome(post(client, content)) for client in utf8)
    assert (ours.status, theirs.status) == (507, 400)
    assert ours._replace(status=0) == theirs._replace(status=0)
    assert ours.failed == [(generated.CT, f"{STUDY}.1.5", 0xA700)]


def test_read_only(tmp_path: Path) -> None:
    with (
        OurServer(tmp_path, {"ReadOnly": True}) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        assert post(client, body(instance(1))).status_code in (404, 405)
        assert client.get("/statistics").json()["CountInstances"] == 0
