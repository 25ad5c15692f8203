"""The Python client of DICOMweb that 3D Slicer, MONAI Label and others use, against a server with
its defaults. Reference chapter 6, section 5."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from pydicom.uid import generate_uid
from support import generated, viewed
from support.server import OurServer

OCTETS = ("application/octet-stream",)

pytestmark = pytest.mark.filterwarnings("ignore")  # of the client


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    with OurServer(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def client(server: OurServer) -> DICOMwebClient:
    return DICOMwebClient(f"{server.url}/dicom-web")


class Image:
    """One stored image, and its identifiers."""

    def __init__(self, client: DICOMwebClient, data: bytes | None = None) -> None:
        data = data or generated.ct_slice().number(*_fresh())
        self.data_set = pydicom.dcmread(io.BytesIO(data))
        self.study = str(self.data_set.StudyInstanceUID)
        self.series = str(self.data_set.SeriesInstanceUID)
        self.instance = str(self.data_set.SOPInstanceUID)
        self.ids = (self.study, self.series, self.instance)
        self.stored = client.store_instances([self.data_set])


_numbers = iter(range(1, 1000))


def _fresh() -> tuple[int, int, int, int]:
    number = next(_numbers)
    return number, number, 1, 1


@pytest.fixture
def image(client: DICOMwebClient) -> Image:
    return Image(client)


# The steps of the reference's script; each says what must be true.
Step = Callable[[DICOMwebClient, Image], bool]


def _bulk_uri(client: DICOMwebClient, image: Image) -> str:
    found: str = client.retrieve_instance_metadata(*image.ids)["7FE00010"]["BulkDataURI"]
    return found


def _metadata(client: DICOMwebClient, image: Image) -> bool:
    found = client.retrieve_series_metadata(image.study, image.series)[0]
    read = pydicom.Dataset.from_json(found, bulk_data_uri_handler=lambda *_: b"")
    return bool(read.Rows == image.data_set.Rows)


STEPS: dict[str, Step] = {
    "store": lambda client, image: len(image.stored.ReferencedSOPSequence) == 1,
    "search for studies": lambda client, image: (
        client.search_for_studies(
            search_filters={"StudyInstanceUID": image.study}, fields=["StudyDescription"]
        )[0]["00081030"]["Value"]
        == [image.data_set.StudyDescription]
    ),
    "search for nothing": lambda client, image: (
        client.search_for_studies(search_filters={"PatientID": "no such id"}) == []
    ),
    "search for series": lambda client, image: len(client.search_for_series(image.study)) == 1,
    "search for instances": lambda client, image: (
        len(client.search_for_instances(image.study, image.series, limit=1)) == 1
    ),
    "study": lambda client, image: (
        [each.SOPInstanceUID for each in client.iter_study(image.study)] == [image.instance]
    ),
    "instance as it is": lambda client, image: (
        client.retrieve_instance(
            *image.ids, media_types=(("application/dicom", "*"),)
        ).SOPInstanceUID
        == image.instance
    ),
    "metadata": _metadata,
    "frame as bytes": lambda client, image: (
        client.retrieve_instance_frames(*image.ids, [1], media_types=OCTETS)[0]
        == image.data_set.PixelData
    ),
    "frame as the server likes": lambda client, image: (
        client.retrieve_instance_frames(*image.ids, [1])[0] == image.data_set.PixelData
    ),
    "picture": lambda client, image: (
        client.retrieve_instance_rendered(*image.ids, media_types=("image/jpeg",))[:2]
        == b"\xff\xd8"
    ),
    "bulk data": lambda client, image: (
        client.retrieve_bulkdata(_bulk_uri(client, image), media_types=OCTETS)[0]
        == image.data_set.PixelData
    ),
    "bulk data as the server likes": lambda client, image: (
        client.retrieve_bulkdata(_bulk_uri(client, image))[0] == image.data_set.PixelData
    ),
    "series": lambda client, image: len(client.retrieve_series(image.study, image.series)) == 1,
    "series, one by one": lambda client, image: (
        [each.SOPInstanceUID for each in client.iter_series(image.study, image.series)]
        == [image.instance]
    ),
    "metadata of a study": lambda client, image: (
        client.retrieve_study_metadata(image.study)[0]["0020000D"]["Value"] == [image.study]
    ),
    "all pages": lambda client, image: (
        [
            each["0020000D"]["Value"]
            for each in client.search_for_studies(
                search_filters={"StudyInstanceUID": image.study}, limit=1, get_remaining=True
            )
        ]
        == [[image.study]]
    ),
    "names as people type them": lambda client, image: (
        len(
            client.search_for_studies(
                fuzzymatching=True, search_filters={"StudyInstanceUID": image.study}
            )
        )
        == 1
    ),
    "PNG": lambda client, image: (
        client.retrieve_instance_rendered(*image.ids, media_types=("image/png",))[:4] == b"\x89PNG"
    ),
    "picture of a frame": lambda client, image: (
        client.retrieve_instance_frames_rendered(*image.ids, [1], media_types=("image/jpeg",))[:2]
        == b"\xff\xd8"
    ),
}


@pytest.mark.parametrize("name", STEPS)
def test_step(client: DICOMwebClient, image: Image, name: str) -> None:
    assert STEPS[name](client, image)


@pytest.mark.parametrize("level", ["study", "series", "instance"])
def test_delete(client: DICOMwebClient, image: Image, level: str) -> None:
    calls: dict[str, Callable[[], Any]] = {
        "study": lambda: client.delete_study(image.study),
        "series": lambda: client.delete_series(image.study, image.series),
        "instance": lambda: client.delete_instance(*image.ids),
    }
    calls[level]()
    assert client.search_for_studies(search_filters={"StudyInstanceUID": image.study}) == []


def test_frames_of_one_instance(client: DICOMwebClient, tmp_path: Path) -> None:
    found = viewed.studies()
    image = Image(client, found.files[viewed.SLICES])
    size = viewed.SIZE**2
    for media_types in (None, OCTETS, ("image/*",)):
        frames = client.retrieve_instance_frames(*image.ids, [2, 4], media_types=media_types)
        assert len(frames) == 2
    frames = client.retrieve_instance_frames(*image.ids, [2, 4])
    data = image.data_set.PixelData
    assert frames == [data[size : 2 * size], data[3 * size : 4 * size]]


def test_several_at_once(client: DICOMwebClient) -> None:
    numbers = [_fresh() for _ in range(3)]
    template = generated.small()
    sent = [pydicom.dcmread(io.BytesIO(template.number(*each))) for each in numbers]
    answer = client.store_instances(sent)
    assert [each.ReferencedSOPInstanceUID for each in answer.ReferencedSOPSequence] == [
        each.SOPInstanceUID for each in sent
    ]


def test_what_is_not_there(client: DICOMwebClient) -> None:
    with pytest.raises(Exception, match="404"):
        client.retrieve_study_metadata(generate_uid())
