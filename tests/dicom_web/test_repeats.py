"""Requests that ask for the same again and again, for what is not there, or at great length."""

import httpx
import pytest
from support import web_pictures
from support.dicom_web import parts
from support.files import file_named
from support.web_files import put

from orthanc_fast.services.dicom_web.repeats import Repeats

NUMBER = "770"
PATH = web_pictures.path(NUMBER)


@pytest.fixture(scope="module", autouse=True)
def stored(ours: httpx.Client) -> None:
    put(ours, file_named("emri_small.dcm").read_bytes(), NUMBER)


def made(indices: list[int], room: int) -> tuple[list[int], int]:
    """The frames that are made, and the most bytes that are kept, where each has one byte."""
    repeats = Repeats[int](indices, room)
    found, most = [], 0
    for index in indices:
        kept = repeats.take(index)
        if kept is None:
            found.append(index)
            repeats.keep(index, index, 1)
        else:
            assert kept == index
        most = max(most, len(repeats._kept))
    assert not repeats._kept
    return found, most


@pytest.mark.parametrize("indices", [[1] * 300, [1, 2, 3] * 100, [1, 1, 2, 3, 2, 2, 1]])
def test_each_is_made_once(indices: list[int]) -> None:
    assert made(indices, 10) == (
        sorted(set(indices)),
        sum(indices.count(i) > 1 for i in {*indices}),
    )


def test_no_more_is_kept_than_there_is_room_for() -> None:
    found, most = made([1, 2, 3] * 100, 2)
    assert most == 2
    assert found[:3] == [1, 2, 3]
    assert found.count(1) == found.count(2) == 1
    assert found.count(3) == 100


@pytest.mark.parametrize(
    ("tail", "accept"),
    [
        ("/rendered", "image/jpeg"),
        ("/thumbnail", "image/png"),
        ("", "multipart/related; type=image/jls"),
        ("", "*/*"),
    ],
)
def test_repeats_are_the_same(ours: httpx.Client, tail: str, accept: str) -> None:
    headers = {"accept": accept}
    single = {}
    for number in (1, 2):
        answer = ours.get(f"{PATH}/frames/{number}{tail}", headers=headers)
        single[number] = answer.content if tail else parts(answer)[0].content
    numbers = [1, 2, 2, 1] * 100
    text = ",".join(map(str, numbers))
    found = parts(ours.get(f"{PATH}/frames/{text}{tail}", headers=headers))
    assert [part.content for part in found] == [single[number] for number in numbers]
    places = [part.headers["content-location"] for part in found]
    assert all(
        f"/frames/{number}{tail}" in place for number, place in zip(numbers, places, strict=True)
    )


@pytest.mark.parametrize(
    "text", ["0", "-1", "1000000000", "4294967297", "9" * 40, "1,0", "1," * 99]
)
@pytest.mark.parametrize("tail", ["", "/rendered", "/thumbnail"])
def test_frames_that_no_image_has(ours: httpx.Client, text: str, tail: str) -> None:
    assert ours.get(f"{PATH}/frames/{text}{tail}").status_code == 400


LONG = {
    "types": "a/b," * 15_000 + "*/*",
    "one type": "x" * 64_000,
    "parameters": "multipart/related; " + "a=b;" * 15_000,
    "quotes": 'multipart/related; type="' + '"' * 60_000,
    "escapes": '"\\' * 30_000,
    "commas": "," * 64_000,
    "quality": "*/*;q=" + "0" * 60_000,
}


@pytest.mark.parametrize("name", LONG)
def test_long_accept(ours: httpx.Client, name: str) -> None:
    places = ("/frames/1", "/rendered", "/metadata", "/bulk/7fe00010", "")
    for path in ("/dicom-web/studies", *(PATH + place for place in places)):
        answer = ours.get(path, headers={"accept": LONG[name]})
        # An empty list, and a wildcard at its end, accept anything.
        assert answer.status_code in ((200,) if name in ("types",) else (200, 400, 406))
