"""Pictures over HTTP: formats, arguments and refusals against the tables of reference chapter 2,
section 5.5, and what is drawn against Orthanc 1.13.
"""

import io
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
from PIL import Image
from support import window_cases
from support.files import file_named
from support.pair import Pair, started_pair

PNG, JPEG, PAM = "image/png", "image/jpeg", "image/x-portable-arbitrarymap"
ROUTES = ("preview", "rendered", "image-uint8", "image-uint16", "image-int16")


@pytest.fixture(scope="module")
def pair(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Both servers with images of all kinds, named in the paths."""
    with started_pair(tmp_path_factory.mktemp("pictures"), {}) as pair:
        contents = {
            "ct": file_named("CT_small.dcm").read_bytes(),
            "rgb": file_named("SC_rgb.dcm").read_bytes(),
            "frames": file_named("emri_small.dcm").read_bytes(),
            "report": file_named("reportsi.dcm").read_bytes(),
            **window_cases.files(),
        }
        for name, data in contents.items():
            answers = [c.post("/instances", content=data) for c in (pair.ours, pair.theirs)]
            assert answers[0].json() == answers[1].json()
            pair.names[name] = answers[0].json()["ID"]
        yield pair


def get(pair: Pair, path: str, accept: str | None = None) -> tuple[httpx.Response, httpx.Response]:
    """The answers of both servers to a path that begins with the name of an image."""
    name, _, rest = path.partition("/")
    headers = {} if accept is None else {"Accept": accept}
    url = f"/instances/{pair.names.get(name, name)}/{rest}"
    return pair.ours.get(url, headers=headers), pair.theirs.get(url, headers=headers)


def pixels(answer: httpx.Response) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(answer.content)))


# Formats


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", PNG),
        ("image/*", PNG),
        (PNG, PNG),
        (JPEG, JPEG),
        (PAM, PAM),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8", PNG),
        ("*/*,image/jpeg", JPEG),
        ("image/*;q=1,image/jpeg;q=0.1", JPEG),
        ("image/jpeg;q=0", JPEG),
        ("image/gif,image/x-portable-arbitrarymap;q=0.2", PAM),
    ],
)
def test_the_header_accept_chooses_the_format(pair: Pair, accept: str, kind: str) -> None:
    for answer in get(pair, "ct/preview", accept):
        assert answer.status_code == 200
        assert answer.headers["content-type"] == kind
        magic = {PNG: b"\x89PNG", JPEG: b"\xff\xd8\xff\xe0", PAM: b"P7\nWIDTH 128\n"}[kind]
        assert answer.content.startswith(magic)


def test_without_accept_it_is_png(pair: Pair) -> None:
    for client in (pair.ours, pair.theirs):
        request = client.build_request("GET", f"/instances/{pair.names['ct']}/preview")
        del request.headers["accept"]
        assert client.send(request).headers["content-type"] == PNG


@pytest.mark.parametrize("image", ["ct", "rgb", "frames", "monochrome1"])
@pytest.mark.parametrize("route", ROUTES)
def test_png_holds_the_pixels_of_orthanc(pair: Pair, image: str, route: str) -> None:
    ours, theirs = get(pair, f"{image}/{route}")
    assert ours.status_code == theirs.status_code
    if theirs.status_code == 200:
        modes = [Image.open(io.BytesIO(answer.content)).mode for answer in (ours, theirs)]
        assert modes[0] == modes[1]
        np.testing.assert_array_equal(pixels(ours), pixels(theirs))


@pytest.mark.parametrize("image", ["ct", "rgb", "frames", "monochrome1"])
@pytest.mark.parametrize("route", ROUTES)
def test_pam_is_that_of_orthanc(pair: Pair, image: str, route: str) -> None:
    ours, theirs = get(pair, f"{image}/{route}", PAM)
    assert ours.status_code == theirs.status_code
    assert ours.content == theirs.content


@pytest.mark.parametrize("quality", [None, 1, 50, 100])
@pytest.mark.parametrize("image", ["ct", "rgb", "plain"])
def test_jpeg_is_that_of_orthanc_within_rounding(
    pair: Pair, image: str, quality: int | None
) -> None:
    argument = "" if quality is None else f"?quality={quality}"
    for route in ("preview", "rendered"):
        ours, theirs = get(pair, f"{image}/{route}{argument}", JPEG)
        left, right = (pixels(answer).astype(int) for answer in (ours, theirs))
        assert left.shape == right.shape
        assert np.abs(left - right).max() <= 2
        assert abs(len(ours.content) - len(theirs.content)) < len(theirs.content) / 50


# Refusals


@pytest.mark.parametrize(
    ("path", "accept", "status"),
    [
        # What is no image.
        ("report/preview", None, 415),
        ("report/rendered", None, 415),
        ("report/image-int16", None, 415),
        ("rgb/image-uint8", None, 415),
        ("rgb/image-uint16", None, 415),
        ("rgb/image-int16", None, 415),
        ("nope/preview", None, 404),
        # What is told first: that there is no image.
        ("report/preview", "image/gif", 415),
        ("report/rendered?window-center=a", None, 415),
        ("report/image-uint16", JPEG, 415),
        # Frames.
        ("ct/frames/0/preview", None, 200),
        ("ct/frames/%2B0/preview", None, 200),
        ("ct/frames/00/rendered", None, 200),
        ("frames/frames/9/image-uint8", None, 200),
        ("ct/frames/1/preview", None, 415),
        ("ct/frames/-1/preview", None, 415),
        ("ct/frames/4294967295/rendered", None, 415),
        ("ct/frames/4294967296/preview", None, 404),
        ("ct/frames/99999999999999999999999/preview", None, 404),
        ("ct/frames/-4294967296/preview", None, 404),
        ("ct/frames/foo/preview", None, 404),
        ("ct/frames/%200/preview", None, 404),
        ("ct/frames/0x0/preview", None, 404),
        ("nope/frames/0/preview", None, 404),
        # Formats.
        ("ct/preview", "image/gif", 404),
        ("ct/preview", "text/html", 404),
        ("ct/preview", "image/jpg", 404),
        ("ct/preview", "", 404),
        ("ct/preview", "image/png;q=2", 415),
        ("ct/preview", "image/png;q=abc", 415),
        ("ct/preview", "image/gif;q=abc,image/png", 200),
        ("ct/image-uint16", JPEG, 404),
        ("ct/image-int16", JPEG, 404),
        ("ct/image-uint8", JPEG, 200),
        ("ct/image-uint16?quality=0", JPEG, 415),
        ("ct/preview?quality=0", "image/gif", 415),
        # Quality.
        ("ct/preview?quality=1", None, 200),
        ("ct/preview?quality=0", None, 415),
        ("ct/preview?quality=101", None, 415),
        ("ct/preview?quality=", None, 415),
        ("ct/preview?quality=abc", None, 415),
        ("ct/preview?quality=50.5", None, 415),
        ("ct/preview?quality=%2050", None, 200),
        ("ct/preview?quality=50%09", None, 200),
        ("ct/rendered?smooth=%20true&width=5", None, 200),
        ("ct/rendered?width=%2012", None, 404),
        ("ct/preview?quality=-5", None, 415),
        ("ct/image-int16?quality=0", None, 415),
        ("ct/rendered?quality=0", None, 415),
        # Arguments of /rendered, which the other routes ignore.
        ("ct/preview?width=a&smooth=x&window-center=y", None, 200),
        ("ct/rendered?window-center=1e3", None, 200),
        ("ct/rendered?window-center=-.5e-1&window-width=3.", None, 200),
        ("ct/rendered?window-center=inf", None, 200),
        ("ct/rendered?window-width=nan", None, 200),
        ("ct/rendered?window-center=", None, 404),
        ("ct/rendered?window-center=a", None, 404),
        ("ct/rendered?window-width=40,5", None, 404),
        ("ct/rendered?window-width=%2040", None, 200),
        ("ct/rendered?window-center=1%20", None, 200),
        ("ct/rendered?window-center=0x10", None, 404),
        ("ct/rendered?window-center=1_0", None, 404),
        ("ct/rendered?window-center=1e400", None, 404),
        ("ct/rendered?width=0", None, 200),
        ("ct/rendered?width=00012", None, 200),
        ("ct/rendered?width=", None, 404),
        ("ct/rendered?width=-1", None, 404),
        ("ct/rendered?height=1.5", None, 404),
        ("ct/rendered?height=abc", None, 404),
        ("ct/rendered?width=4294967296", None, 404),
        ("ct/rendered?width=99999999999999999999", None, 404),
        ("ct/rendered?smooth=true&width=5", None, 200),
        ("ct/rendered?smooth=False", None, 415),
        ("ct/rendered?smooth=2", None, 415),
        ("ct/rendered?smooth=", None, 415),
        ("rgb/rendered?window-center=a", None, 404),
        ("rgb/rendered?smooth=x", None, 415),
        # The picture instead of the refusal.
        ("report/preview?returnUnsupportedImage", None, 307),
        ("report/frames/0/rendered?returnUnsupportedImage=1", None, 307),
        ("ct/preview?quality=0&returnUnsupportedImage", None, 307),
        ("report/preview?returnUnsupportedImage=false", None, 415),
        ("report/preview?returnUnsupportedImage=0", None, 415),
        ("report/preview?returnUnsupportedImage=x", None, 400),
        ("ct/preview?returnUnsupportedImage", None, 200),
        ("ct/rendered?width=-1&returnUnsupportedImage", None, 404),
        ("nope/preview?returnUnsupportedImage", None, 404),
    ],
)
def test_status(pair: Pair, path: str, accept: str | None, status: int) -> None:
    ours, theirs = get(pair, path, accept)
    assert ours.status_code == status, ours.text
    assert theirs.status_code == status, theirs.text
    if status in (404, 415, 307):
        assert ours.content == b""
        assert "content-type" not in ours.headers
    elif status == 200:
        assert ours.headers["content-type"].startswith("image/")


def test_the_redirection_leads_to_a_picture(pair: Pair) -> None:
    for path in ("report/preview", "report/frames/0/rendered"):
        ours, theirs = get(pair, f"{path}?returnUnsupportedImage")
        assert ours.headers["location"] == theirs.headers["location"]
        picture = pair.ours.get(ours.url.join(ours.headers["location"]))
        assert picture.headers["content-type"] == PNG
        assert pixels(picture).shape[:2] == (83, 150)


@pytest.mark.parametrize("route", [*ROUTES, "frames/0/preview", "frames/0/image-uint16"])
def test_only_get_is_allowed(pair: Pair, route: str) -> None:
    url = f"/instances/{pair.names['ct']}/{route}"
    for method in ("POST", "PUT", "DELETE"):
        for client in (pair.ours, pair.theirs):
            answer = client.request(method, url, content=b"")
            assert answer.status_code == 405
            assert answer.headers["allow"] == "GET"


def test_a_picture_that_nobody_could_look_at_is_refused(pair: Pair) -> None:
    """Orthanc may end when it is asked for this."""
    url = f"/instances/{pair.names['ct']}/rendered?width=4000000000"
    assert pair.ours.get(url).status_code == 415


# What is drawn


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "?window-center=300",
        "?window-width=200.5",
        "?window-center=-100&window-width=1e3",
        "?window-center=350&window-width=1",
        "?window-width=-7",
        "?width=100",
        "?height=19",
        "?width=20&height=200&smooth=1",
        "?width=17&smooth=true",
        "?width=500&height=300&smooth=1",
        "?width=1&height=1",
    ],
)
@pytest.mark.parametrize("case", sorted(window_cases.CASES))
def test_rendered_is_that_of_orthanc(pair: Pair, case: str, arguments: str) -> None:
    ours, theirs = get(pair, f"{case}/rendered{arguments}", PAM)
    assert theirs.status_code == 200
    assert ours.content == theirs.content


@pytest.mark.parametrize("case", ["per-frame", "shared"])
def test_every_frame_has_its_own_window(pair: Pair, case: str) -> None:
    found = []
    for number in range(window_cases.FRAMES):
        ours, theirs = get(pair, f"{case}/frames/{number}/rendered", PAM)
        assert ours.content == theirs.content
        found.append(ours.content)
    assert len(set(found)) == (window_cases.FRAMES if case == "per-frame" else 1)


@pytest.mark.parametrize("arguments", ["?width=31", "?height=300", "?width=50&height=9&smooth=1"])
def test_colour_in_another_size_is_that_of_orthanc(pair: Pair, arguments: str) -> None:
    ours, theirs = get(pair, f"rgb/rendered{arguments}", PAM)
    assert theirs.status_code == 200
    assert ours.content == theirs.content


# Beyond Orthanc: docs/imaging.md


def test_voi_draws_as_the_standard_says(pair: Pair) -> None:
    def drawn(path: str) -> np.ndarray:
        return pixels(get(pair, path)[0])

    # The linear function of the standard is half a value off Orthanc's.
    default, linear = drawn("window/rendered"), drawn("window/rendered?voi=linear")
    difference = np.abs(default.astype(int) - linear.astype(int))
    assert 0 < difference.max() <= 1
    others = {
        drawn(f"window/rendered?voi={name}").tobytes() for name in ("linear-exact", "sigmoid")
    }
    assert len(others | {linear.tobytes()}) == 3
    np.testing.assert_array_equal(drawn("window/rendered?voi=standard"), linear)
    # Shared functional groups count.
    assert (drawn("shared/rendered") != drawn("shared/rendered?voi=standard")).any()
    explicit = "voi=linear&window-center=300&window-width=700"
    np.testing.assert_array_equal(
        drawn("shared/rendered?voi=standard"), drawn(f"shared/rendered?{explicit}")
    )
    white = drawn("monochrome1/rendered?voi=standard").astype(int)
    assert np.abs(white + drawn("window/rendered?voi=standard") - 255).max() == 0


def test_a_voi_that_is_none_is_refused(pair: Pair) -> None:
    answer = get(pair, "ct/rendered?voi=nope")[0]
    assert answer.status_code == 400
    assert "linear-exact" in answer.json()["Details"]
