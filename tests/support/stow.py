"""Bodies of STOW-RS for tests, and what their answers hold."""

import io
from typing import Any, NamedTuple

import httpx
import pydicom
from support import generated

KIND = 'multipart/related; type="application/dicom"; boundary=BB'
DICOM_PART = b"Content-Type: application/dicom\r\n"


def instance(number: int, study: int = 1, size: int = 8, **changes: Any) -> bytes:
    """A small file of its own; attributes of `changes` are replaced, or removed by None."""
    dataset = generated.base()
    root = f"{generated.ROOT}.{study}"
    dataset.StudyInstanceUID = root
    dataset.SeriesInstanceUID = f"{root}.1"
    dataset.SOPInstanceUID = f"{root}.1.{number}"
    dataset.PatientID = f"STOW {study}"
    dataset.InstanceNumber = str(number)
    dataset.Rows = dataset.Columns = size
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation, dataset.SamplesPerPixel = 15, 0, 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelData = bytes(2 * size * size)
    for name, value in changes.items():
        if value is None:
            delattr(dataset, name)
        else:
            setattr(dataset, name, value)
    out = io.BytesIO()
    pydicom.dcmwrite(out, dataset)
    return out.getvalue()


def body(*contents: bytes, boundary: bytes = b"BB", head: bytes = DICOM_PART) -> bytes:
    """Parts with the same header, and the closing boundary."""
    start = b"--" + boundary + b"\r\n" + head + b"\r\n"
    return b"".join(start + each + b"\r\n" for each in contents) + b"--" + boundary + b"--\r\n"


def post(
    client: httpx.Client,
    content: Any,
    study: str = "",
    kind: str | None = KIND,
    **headers: str,
) -> httpx.Response:
    path = f"/dicom-web/studies/{study}" if study else "/dicom-web/studies"
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if kind is not None:
        given["content-type"] = kind
    return client.post(path, content=content, headers=given)


class Outcome(NamedTuple):
    """An answer of STOW-RS, without what depends on the address of the server."""

    status: int
    character_set: str
    study: str | None
    stored: list[tuple[str, str, str]]  # UIDs of class and instance, path of its address
    failed: list[tuple[str, str, int]]
    others: list[int]


def outcome(answer: httpx.Response) -> Outcome:
    content = answer.json()
    root = f"http://{answer.request.url.netloc.decode()}/dicom-web/"

    def value(item: Any, tag: str) -> Any:
        (found,) = item[tag]["Value"]
        return found

    def path(item: Any) -> str:
        address = str(value(item, "00081190"))
        assert address.startswith(root)
        return address.removeprefix(root)

    def items(tag: str) -> list[Any]:
        found = content.get(tag, {"vr": "SQ"})
        assert found["vr"] == "SQ"
        assert found.get("Value") != []
        return list(found.get("Value", ()))

    assert "00081199" in content
    return Outcome(
        answer.status_code,
        value(content, "00080005"),
        path(content) if "00081190" in content else None,
        [
            (value(each, "00081150"), value(each, "00081155"), path(each))
            for each in items("00081199")
        ],
        [
            (value(each, "00081150"), value(each, "00081155"), value(each, "00081197"))
            for each in items("00081198")
        ],
        [value(each, "00081197") for each in items("0008119A")],
    )


def identifiers(client: httpx.Client, uid: str) -> list[str]:
    """Orthanc's identifiers of the instances with this UID."""
    query = {"Level": "Instance", "Query": {"SOPInstanceUID": uid}}
    found: list[str] = client.post("/tools/find", json=query).json()
    return found


def stored(client: httpx.Client, uid: str) -> pydicom.Dataset:
    """The file of the instance with this UID."""
    (public,) = identifiers(client, uid)
    return pydicom.dcmread(io.BytesIO(client.get(f"/instances/{public}/file").content))


def is_whole(client: httpx.Client, uid: str, size: int) -> bool:
    """Whether the file of this instance has so many bytes, and is as it was when it came."""
    (public,) = identifiers(client, uid)
    path = f"/instances/{public}/attachments/dicom"
    is_verified = client.post(f"{path}/verify-md5").status_code == 200
    return is_verified and client.get(f"{path}/size").text == str(size)
