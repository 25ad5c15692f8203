"""The pictures of every file of pydicom's collections from our server and from Orthanc 1.13:
the same pixels, or a known reason.

A difference without a reason fails, and so does a reason that no longer explains any.
"""

import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from support.files import dicom_files
from support.pair import Pair, started_pair

PNG, JPEG, PAM = "image/png", "image/jpeg", "image/x-portable-arbitrarymap"
ROUTES = (
    "preview",
    "image-uint8",
    "image-uint16",
    "image-int16",
    "rendered",
    "rendered?window-center=100.5&window-width=333",
    "rendered?width=100&smooth=1",
    "rendered?height=300",
)
SMALL = 300_000  # bytes: Orthanc needs long for the PNG of larger ones

_J2K = {"1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"}

# What Orthanc refuses, and why we show it: docs/deviations.md.
SHOWN = {
    "colour of 16 bits, which 1.13 shows": {
        "SC_rgb_16bit.dcm",
        "SC_rgb_16bit_2frame.dcm",
        "SC_rgb_expb_16bit.dcm",
        "SC_rgb_expb_16bit_2frame.dcm",
        "SC_rgb_rle_16bit.dcm",
        "SC_rgb_rle_16bit_2frame.dcm",
        "gdcm-US-ALOKA-16.dcm",
        "gdcm-US-ALOKA-16_big.dcm",
    },
    "colour of 32 bits": {
        "SC_rgb_32bit.dcm",
        "SC_rgb_32bit_2frame.dcm",
        "SC_rgb_expb_32bit.dcm",
        "SC_rgb_expb_32bit_2frame.dcm",
        "SC_rgb_rle_32bit.dcm",
        "SC_rgb_rle_32bit_2frame.dcm",
    },
    "uncompressed YBR": {"SC_ybr_full_uncompressed.dcm", "SC_ybr_full_422_uncompressed.dcm"},
    "values of 32 bits": {
        "rtdose.dcm",
        "rtdose_1frame.dcm",
        "rtdose_expb.dcm",
        "rtdose_expb_1frame.dcm",
        "rtdose_rle.dcm",
        "rtdose_rle_1frame.dcm",
    },
}
# Files whose pixels differ.
DIFFERENT = {
    # Signed values of 12 bits, the sign of which Orthanc does not extend: section 5.3.
    "mlut_18.dcm": "",
    # Without a window Orthanc takes one of width 1, because 1 << 32 is 1.
    "rtdose_rle.dcm": "rendered",
    "rtdose_rle_1frame.dcm": "rendered",
}

# JPEG 2000 with a sequence delimiter inside that ends the pixel data.
UNDECODABLE = {"JPEG2000-embedded-sequence-delimiter.dcm"}


@pytest.fixture(scope="module")
def pair(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with started_pair(tmp_path_factory.mktemp("files"), {}) as pair:
        yield pair


@pytest.mark.parametrize("path", dicom_files(), ids=lambda path: path.name)
def test_pictures_are_those_of_orthanc(pair: Pair, path: Path) -> None:
    data = path.read_bytes()
    answers = [client.post("/instances", content=data) for client in (pair.ours, pair.theirs)]
    if any(answer.status_code != 200 for answer in answers):  # see tests/dicom/test_differential.py
        assert all(answer.status_code in (400, 404) for answer in answers)
        return
    instance = f"/instances/{answers[0].json()['ID']}"
    try:
        compare(pair, instance, path)
    finally:  # many files share an instance UID
        for client in (pair.ours, pair.theirs):
            client.delete(instance)


def compare(pair: Pair, instance: str, path: Path) -> None:
    frames = pair.theirs.get(f"{instance}/frames")
    last = len(frames.json()) - 1 if frames.status_code == 200 else 0
    is_small = path.stat().st_size < SMALL
    paths = [f"{instance}/{route}" for route in (ROUTES if is_small else ROUTES[::2])]
    if last > 0:
        paths += [f"{instance}/frames/{last}/{route}" for route in ROUTES[::2]]
    shown = False
    for url in paths:
        ours, theirs = ask(pair, url, PAM)
        if ours.status_code == 200 and theirs.status_code == 415:
            shown = True
            continue
        assert ours.status_code == theirs.status_code, url
        if ours.status_code == 200 and not url.rpartition("/")[2].startswith(different(path)):
            assert ours.content == theirs.content, url
    assert shown == is_shown(path), "listed as refused by Orthanc, or should be"
    if not shown and is_small and path.name not in DIFFERENT:
        compare_formats(pair, instance)


def compare_formats(pair: Pair, instance: str) -> None:
    for route in ("preview", "image-uint16", "image-int16"):
        ours, theirs = ask(pair, f"{instance}/{route}", PNG)
        assert ours.status_code == theirs.status_code
        if ours.status_code == 200:
            np.testing.assert_array_equal(pixels(ours), pixels(theirs))
    ours, theirs = ask(pair, f"{instance}/rendered", JPEG)
    assert ours.status_code == theirs.status_code
    if ours.status_code == 200:
        difference = np.abs(pixels(ours).astype(int) - pixels(theirs).astype(int))
        assert difference.max() <= 2


def ask(pair: Pair, url: str, accept: str) -> tuple[httpx.Response, httpx.Response]:
    headers = {"Accept": accept}
    return pair.ours.get(url, headers=headers), pair.theirs.get(url, headers=headers)


def pixels(answer: httpx.Response) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def is_shown(path: Path) -> bool:
    if any(path.name in names for names in SHOWN.values()):
        return True
    meta = dcmread(path, stop_before_pixels=True, force=True).file_meta
    return meta.get("TransferSyntaxUID") in _J2K and path.name not in UNDECODABLE


def different(path: Path) -> str:
    """The beginning of the routes that differ; of no route: something that none begins with."""
    return DIFFERENT.get(path.name, "none")
