"""Rendered resources, against Orthanc's plugin: reference chapter 5, section 7."""

import io

import httpx
import numpy as np
import pydicom
import pytest
from PIL import Image, ImageSequence
from support import dicom_web, web_pictures
from support.dicom_web import DicomWebPair
from support.files import file_named
from support.web_pictures import GIF, JPEG, PNG, assert_same_picture

CASES = sorted(web_pictures.cases())


@pytest.fixture(scope="module")
def names(pair: DicomWebPair) -> dict[str, str]:
    return web_pictures.stored(pair, web_pictures.cases())


def get(pair: DicomWebPair, path: str, accept: str = PNG) -> tuple[httpx.Response, httpx.Response]:
    return pair.get(path, headers={"Accept": accept})


@pytest.mark.parametrize("name", CASES)
def test_pictures(pair: DicomWebPair, names: dict[str, str], name: str) -> None:
    """Without a window: from the smallest to the largest value."""
    assert_same_picture(*get(pair, f"{names[name]}/rendered"))


@pytest.mark.parametrize("function", ["linear", "sigmoid"])
@pytest.mark.parametrize("name", CASES)
def test_windows(pair: DicomWebPair, names: dict[str, str], name: str, function: str) -> None:
    for window in ("40,400", "1000,301.5", "100,1", "0.5,20"):
        answers = get(pair, f"{names[name]}/rendered?window={window},{function}")
        assert_same_picture(*answers)


@pytest.mark.parametrize(
    "viewport",
    [
        "64,64",
        "300,100",
        "7,300",
        "20,",
        ",20",
        ",",
        "1,1",
        "%2B40,40",
        "64,64,10,20,30,40",
        "64,64,10.5,20.4,30.5,40.6",
        "64,64,100,100,100,100",
        "64,64,,,,",
        "64,64,10,20,-30,40",
        "64,64,10,20,30,-40",
        "64,64,10,20,-30,-40",
        "64,64,-10,-20,30,40",
        "64,64,1000,0,10,10",
        "64,64,0,0,0,0",
        "64,64,5,5,1,1",
        "64,64,1e1,20,.3e2,40",
    ],
)
def test_viewports(pair: DicomWebPair, names: dict[str, str], viewport: str) -> None:
    for name in ("CT_small.dcm", "SC_rgb.dcm", "monochrome1", "liver_1frame.dcm"):
        for more in ("", "&window=40,400,linear"):
            assert_same_picture(*get(pair, f"{names[name]}/rendered?viewport={viewport}{more}"))


@pytest.mark.parametrize("name", CASES)
def test_jpeg(pair: DicomWebPair, names: dict[str, str], name: str) -> None:
    """Of the same quality, hence of about the same size."""
    for quality in ("", "?quality=1", "?quality=50", "?quality=100"):
        ours, theirs = get(pair, f"{names[name]}/rendered{quality}", JPEG)
        assert ours.headers["content-type"] == theirs.headers["content-type"] == JPEG
        assert_same_picture(ours, theirs, tolerance=40)
        assert abs(len(ours.content) - len(theirs.content)) < 50 + len(theirs.content) / 20


@pytest.mark.parametrize(
    "arguments",
    [
        "viewport=",
        "viewport=5",
        "viewport=5,5,5",
        "viewport=a,5",
        "viewport=-5,5",
        "viewport=5.5,5",
        "viewport=5,5,a,0,1,1",
        "viewport=%205,5",
        "viewport=99999,99999",
        "window=",
        "window=1,2",
        "window=1,2,Linear",
        "window=a,2,linear",
        "window=,,linear",
        "quality=0",
        "quality=101",
        "quality=",
        "quality=a",
        "quality=-1",
    ],
)
def test_bad_arguments(pair: DicomWebPair, names: dict[str, str], arguments: str) -> None:
    ours, theirs = get(pair, f"{names['CT_small.dcm']}/rendered?{arguments}")
    assert (ours.status_code, theirs.status_code) == (400, 400)
    if arguments != "viewport=99999,99999":
        assert ours.json()["OrthancStatus"] == theirs.json()["OrthancStatus"]


def test_other_arguments_do_not_matter(pair: DicomWebPair, names: dict[str, str]) -> None:
    path = f"{names['CT_small.dcm']}/rendered"
    assert_same_picture(*get(pair, f"{path}?charset=utf-8&iccprofile=no&Foo=bar"))


@pytest.mark.parametrize("frame", ["1", "2", "5", "01", "0", "-1", "1000", "a", "1,", "+1", "1.0"])
def test_frames(pair: DicomWebPair, names: dict[str, str], frame: str) -> None:
    ours, theirs = get(pair, f"{names['emri_small.dcm']}/frames/{frame}/rendered")
    assert ours.status_code == theirs.status_code
    if theirs.status_code == 200:
        assert_same_picture(ours, theirs)
    else:
        assert ours.json()["OrthancStatus"] == theirs.json()["OrthancStatus"]


def test_all_levels(pair: DicomWebPair, names: dict[str, str]) -> None:
    path = names["CT_small.dcm"]
    for count in (4, 6, 8):
        level = "/".join(path.split("/")[:count])
        assert_same_picture(*get(pair, f"{level}/rendered"))
        assert_same_picture(*get(pair, f"{level}/rendered/"))


def test_unknown_resources(pair: DicomWebPair, names: dict[str, str]) -> None:
    path = names["CT_small.dcm"]
    other = names["SC_rgb.dcm"].split("/series/")[0]
    for wrong in (
        "/dicom-web/studies/1.2.3/rendered",
        f"{path}9/rendered",
        "/".join(path.split("/")[:6]) + "9/rendered",
        f"{other}/series/" + path.split("/series/")[1] + "/rendered",
    ):
        ours, theirs = get(pair, wrong)
        assert (ours.status_code, theirs.status_code) == (404, 404)
        assert ours.json()["OrthancStatus"] == theirs.json()["OrthancStatus"]


def test_what_is_no_image(pair: DicomWebPair) -> None:
    report = file_named("reportsi.dcm").read_bytes()
    pair.store(web_pictures.renamed(report, "900"))
    ours, theirs = get(pair, f"{web_pictures.path('900')}/rendered")
    assert (ours.status_code, theirs.status_code) == (400, 400)
    assert ours.json()["OrthancStatus"] == theirs.json()["OrthancStatus"]


@pytest.mark.parametrize("accept", [None, "*/*", JPEG, PNG])
def test_accept(pair: DicomWebPair, names: dict[str, str], accept: str | None) -> None:
    for client in pair:
        request = client.build_request("GET", f"{names['CT_small.dcm']}/rendered")
        del request.headers["accept"]
        if accept is not None:
            request.headers["accept"] = accept
        answer = client.send(request)
        assert answer.headers["content-type"] == (PNG if accept == PNG else JPEG)


# What the plugin cannot, or does otherwise: PS3.18.


def decoded(answer: httpx.Response) -> list[np.ndarray]:
    """The pictures of a file, in colour."""
    assert answer.status_code == 200, answer.text
    pictures = Image.open(io.BytesIO(answer.content))
    return [np.asarray(each.convert("RGB")) for each in ImageSequence.Iterator(pictures)]


@pytest.fixture(scope="module")
def own(ours: httpx.Client) -> dict[str, str]:
    """Images in our server, found by name."""
    found = {}
    for number, (name, data) in enumerate(web_pictures.cases().items(), start=1):
        content = web_pictures.renamed(data, str(number))
        assert ours.post("/instances", content=content).status_code == 200
        found[name] = web_pictures.path(str(number))
    return found


@pytest.mark.parametrize(
    ("accept", "argument", "kind"),
    [
        ("image/*", "", JPEG),
        ("IMAGE/PNG", "", PNG),
        ("image/webp,image/png;q=0.9", "", PNG),
        ("image/jpeg;q=0.1, image/png", "", PNG),
        ("text/html,application/xhtml+xml;q=0.9,image/webp,*/*;q=0.8", "", JPEG),
        ("*/*", "image/png", PNG),
        ("image/jpeg", "image/png", PNG),
        ("text/html", "image/gif", GIF),
        ("image/gif", "", GIF),
    ],
)
def test_negotiation(
    ours: httpx.Client, own: dict[str, str], accept: str, argument: str, kind: str
) -> None:
    path = f"{own['CT_small.dcm']}/rendered" + (f"?accept={argument}" if argument else "")
    answer = ours.get(path, headers={"Accept": accept})
    assert answer.headers["content-type"] == kind
    assert answer.headers["vary"] == "Accept"
    assert decoded(answer)[0].shape == (128, 128, 3)


@pytest.mark.parametrize(
    "accept",
    [
        "image/webp",
        "text/html",
        "",
        "application/dicom",
        "image/png;q=0",
        "video/mp4",
        'multipart/related; type="application/dicom"',
    ],
)
def test_nothing_acceptable(ours: httpx.Client, own: dict[str, str], accept: str) -> None:
    answer = ours.get(f"{own['CT_small.dcm']}/rendered", headers={"Accept": accept})
    assert answer.status_code == 406
    assert "image/png" in answer.json()["Details"]


@pytest.mark.parametrize(
    "viewport", ["0,5", "5,0", "0,0,1,1,1,1", "5,5,inf,0,1,1", "5,5,nan,0,1,1"]
)
def test_bad_viewports(ours: httpx.Client, own: dict[str, str], viewport: str) -> None:
    answer = ours.get(f"{own['CT_small.dcm']}/rendered?viewport={viewport}")
    assert answer.status_code == 400
    assert answer.json()["OrthancStatus"] == 3


@pytest.mark.parametrize(("center", "width"), [(100, 50), (0, 255), (1000, 1.5), (40.5, 0.5)])
def test_linear_exact(ours: httpx.Client, own: dict[str, str], center: float, width: float) -> None:
    """PS3.3 C.11.2.1.3.2."""
    answer = ours.get(
        f"{own['CT_small.dcm']}/rendered?window={center},{width},linear-exact",
        headers={"Accept": PNG},
    )
    dataset = pydicom.dcmread(file_named("CT_small.dcm"))
    values = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
    expected = np.clip((values - center) / width + 0.5, 0, 1) * 255
    assert np.abs(web_pictures.pixels(answer) - expected).max() <= 0.5


def test_32_bits(ours: httpx.Client) -> None:
    """The plugin refuses them."""
    data = web_pictures.renamed(file_named("rtdose_1frame.dcm").read_bytes(), "32")
    assert ours.post("/instances", content=data).status_code == 200
    answer = ours.get(f"{web_pictures.path('32')}/rendered", headers={"Accept": PNG})
    values = pydicom.dcmread(file_named("rtdose_1frame.dcm")).pixel_array.astype("f8")
    expected = (values - values.min()) / (values.max() - values.min()) * 255
    assert np.abs(web_pictures.pixels(answer) - expected).max() <= 1


@pytest.mark.parametrize("kind", [JPEG, PNG, GIF])
def test_several_frames(ours: httpx.Client, own: dict[str, str], kind: str) -> None:
    """Multipart, as dicomweb-client asks for them."""
    path = own["emri_small.dcm"]
    header = {"Accept": f'multipart/related; type="{kind}"'}
    answer = ours.get(f"{path}/frames/3,1,3/rendered", headers=header)
    found = dicom_web.parts(answer)
    assert answer.headers["content-type"].startswith(f'multipart/related; type="{kind}"')
    numbers = [3, 1, 3]
    for part, number in zip(found, numbers, strict=True):
        alone = ours.get(f"{path}/frames/{number}/rendered", headers={"Accept": kind})
        assert part.content == alone.content
        assert part.headers["content-type"] == kind
        assert part.headers["content-location"].endswith(f"{path}/frames/{number}/rendered")
    if kind != GIF:
        plain = ours.get(f"{path}/frames/3,1,3/rendered", headers={"Accept": kind})
        assert [each.content for each in dicom_web.parts(plain)] == [p.content for p in found]


def test_a_list_with_a_frame_that_is_not_there(ours: httpx.Client, own: dict[str, str]) -> None:
    answer = ours.get(f"{own['emri_small.dcm']}/frames/1000,1/rendered")
    assert (answer.status_code, answer.json()["OrthancStatus"]) == (400, 3)
    with pytest.raises(httpx.RemoteProtocolError):  # never an answer that looks complete
        ours.get(f"{own['emri_small.dcm']}/frames/1,1000/rendered")


def test_all_frames(ours: httpx.Client, own: dict[str, str]) -> None:
    path = own["emri_small.dcm"]
    header = {"Accept": f'multipart/related; type="{PNG}"'}
    for count in (4, 6, 8):
        level = "/".join(path.split("/")[:count])
        found = dicom_web.parts(ours.get(f"{level}/rendered", headers=header))
        assert len(found) == 10
        last = ours.get(f"{path}/frames/10/rendered", headers={"Accept": PNG})
        assert found[-1].content == last.content


def test_all_images_of_a_study(ours: httpx.Client) -> None:
    """By number of series and instance; what is no image is left out."""
    files = [("CT_small.dcm", "2", 1), ("SC_rgb.dcm", "1", 2), ("CT_small.dcm", "2", 3)]
    files.append(("reportsi.dcm", "3", 4))
    for name, series, number in files:
        dataset = pydicom.dcmread(file_named(name))
        dataset.SeriesNumber, dataset.InstanceNumber = int(series), number
        target = io.BytesIO()
        dataset.save_as(target)
        data = web_pictures.renamed(target.getvalue(), "77", series, str(number))
        assert ours.post("/instances", content=data).status_code == 200
    header = {"Accept": "multipart/related"}
    answer = ours.get(
        "/".join(web_pictures.path("77").split("/")[:4]) + "/rendered", headers=header
    )
    places = [part.headers["content-location"] for part in dicom_web.parts(answer)]
    paths = [web_pictures.path("77", *place) for place in (("1", "2"), ("2", "1"), ("2", "3"))]
    assert [httpx.URL(place).path for place in places] == [
        f"{path}/frames/1/rendered" for path in paths
    ]


def test_animation(ours: httpx.Client, own: dict[str, str]) -> None:
    path = own["emri_small.dcm"]
    answer = ours.get(f"{path}/rendered", headers={"Accept": GIF})
    frames = decoded(answer)
    assert len(frames) == 10
    for number in (1, 10):
        alone = ours.get(f"{path}/frames/{number}/rendered", headers={"Accept": PNG})
        np.testing.assert_array_equal(frames[number - 1], decoded(alone)[0])
    some = ours.get(f"{path}/frames/2,4/rendered", headers={"Accept": GIF})
    np.testing.assert_array_equal(decoded(some)[1], frames[3])


def test_colours_of_gif(ours: httpx.Client, own: dict[str, str]) -> None:
    """There are 256 at most, so each is the nearest of a table."""
    for name in ("SC_rgb.dcm", "examples_palette.dcm"):
        path = f"{own[name]}/rendered"
        gif, png = (decoded(ours.get(path, headers={"Accept": kind}))[0] for kind in (GIF, PNG))
        assert np.abs(gif.astype(int) - png).max() <= 26


def test_etag(ours: httpx.Client, own: dict[str, str]) -> None:
    path = f"{own['CT_small.dcm']}/rendered"
    first = ours.get(path)
    again = ours.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    for other, header in ((f"{path}?quality=50", JPEG), (path, PNG)):
        answer = ours.get(other, headers={"If-None-Match": first.headers["etag"], "Accept": header})
        assert answer.status_code == 200
        assert answer.headers["etag"] != first.headers["etag"]


def test_head(ours: httpx.Client, own: dict[str, str]) -> None:
    path = f"{own['CT_small.dcm']}/rendered"
    head, whole = ours.head(path), ours.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == whole.headers["content-length"]


def test_what_is_not_drawn_is_said(ours: httpx.Client, own: dict[str, str]) -> None:
    path = f"{own['CT_small.dcm']}/rendered"
    for more in ("annotation=patient", "iccprofile=srgb"):
        answer = ours.get(f"{path}?{more}")
        assert answer.status_code == 200
        assert more.partition("=")[0] in answer.headers["warning"]
        parts = ours.get(f"{path}?{more}", headers={"Accept": "multipart/related"})
        assert more.partition("=")[0] in parts.headers["warning"]
    assert "warning" not in ours.get(f"{path}?iccprofile=no").headers


def test_an_image_that_is_replaced(ours: httpx.Client) -> None:
    """What was drawn of the former file is not shown any longer."""
    dataset = pydicom.dcmread(file_named("CT_small.dcm"))
    path = web_pictures.path("78")
    answers = []
    for value in (0, 1000):
        dataset.PixelData = (dataset.pixel_array * 0 + value).tobytes()[:-2] + b"\1\0"
        target = io.BytesIO()
        dataset.save_as(target)
        data = web_pictures.renamed(target.getvalue(), "78")
        stored = ours.post("/instances", content=data).json()
        answers.append(ours.get(f"{path}/rendered", headers={"Accept": PNG}))
        assert ours.delete(f"/instances/{stored['ID']}").status_code == 200
        assert ours.get(f"{path}/rendered").status_code == 404
    assert answers[0].headers["etag"] != answers[1].headers["etag"]
    assert web_pictures.pixels(answers[0]).max() == web_pictures.pixels(answers[1]).max() == 255
    assert answers[0].content != answers[1].content
