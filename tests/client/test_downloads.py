"""Downloads that break off: what has come stays, and the rest is asked for."""

import asyncio
import http.client
import io
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nibabel
import numpy as np
import pytest
from support.client_files import make_files
from support.reference_server import ReferenceServer
from support.server import OurServer

from orthanc_fast.client import AsyncServer, Server, ServerError, downloads
from orthanc_fast.client.answers import Level

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding"}


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with OurServer(tmp_path_factory.mktemp("ours")) as running:
        yield _filled(running.url, tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def orthanc(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ReferenceServer(tmp_path_factory.mktemp("orthanc")) as running:
        yield _filled(running.url, tmp_path_factory.mktemp("files"))


def _filled(url: str, folder: Path) -> str:
    make_files(folder)
    with Server(url) as server:
        assert server.upload([folder]).stored == 6
    return url


class Cutting:
    """What stands before a server and breaks answers off: each of `cuts` is after how many bytes of
    its body the next answer that has any of `kind` ends; `asked` has their Range headers."""

    def __init__(self, upstream: str, kind: str, cuts: list[int]) -> None:
        self.address = upstream.removeprefix("http://")
        self.kind = kind
        self.cuts = cuts
        self.asked: list[str | None] = []

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        connection = http.client.HTTPConnection(self.address)
        names = ("Range", "If-Range")
        headers = {name: handler.headers[name] for name in names if name in handler.headers}
        connection.request("GET", handler.path, headers=headers)
        upstream = connection.getresponse()
        body = upstream.read()
        connection.close()
        handler.send_response(upstream.status)
        for name, value in upstream.getheaders():
            if name.lower() not in {*HOP_BY_HOP, "content-length"}:
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if self.kind in handler.path:
            self.asked.append(handler.headers["Range"])
            if self.cuts:
                body = body[: self.cuts.pop(0)]
                handler.close_connection = True
        handler.wfile.write(body)


@contextmanager
def cutting(upstream: str, kind: str, *cuts: int) -> Iterator[tuple[str, Cutting]]:
    rule = Cutting(upstream, kind, list(cuts))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            rule.answer(self)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", rule
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "FIRST_PAUSE", 0.0)


def everything(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_an_archive_goes_on_where_it_broke_off(ours: str, tmp_path: Path) -> None:
    target = tmp_path / "study.zip"
    seen: list[tuple[int, int | None]] = []
    with cutting(ours, "/archive", 1000, 500, 0) as (url, rule), Server(url) as server:
        (study,) = server.studies()
        server.save_archive("Study", study, target, lambda *each: seen.append(each))
    assert rule.asked == [None, "bytes=1000-", "bytes=1500-", "bytes=1500-"]
    assert everything(tmp_path) == {"study.zip"}
    with Server(ours) as server:
        assert target.read_bytes() == server.content(f"/studies/{study}/archive?compression=0")
    size = target.stat().st_size
    assert seen[-1] == (size, size)
    assert {total for _, total in seen} == {size}


def test_the_awaited_client_too(ours: str, tmp_path: Path) -> None:
    async def main(url: str) -> None:
        async with AsyncServer(url) as server:
            (series, *_) = await server.series()
            await server.save_array("Series", series, tmp_path / "series.npy")
            expected = await server.volume(series)
            np.testing.assert_array_equal(np.load(tmp_path / "series.npy")[..., 0], expected)
            (study,) = await server.studies()
            assert len(await server.save_files("Study", study, tmp_path / "files")) == 6

    with cutting(ours, "/numpy", 700) as (url, rule):
        asyncio.run(main(url))
    assert rule.asked == [None, "bytes=700-", None]


def test_another_run_goes_on(ours: str, tmp_path: Path) -> None:
    """After five attempts that brought nothing it is given up, and what has come stays."""
    target = tmp_path / "series.npy"
    with cutting(ours, "/numpy", 600, *[0] * 5) as (url, rule), Server(url) as server:
        series = server.series()[0]
        with pytest.raises(ServerError, match="broke off"):
            server.save_array("Series", series, target)
    assert rule.asked == [None] + ["bytes=600-"] * 5
    assert not target.exists()
    with cutting(ours, "/numpy") as (url, rule), Server(url) as server:
        server.save_array("Series", series, target)
    assert rule.asked == ["bytes=600-"]
    assert everything(tmp_path) == {"series.npy"}


def test_other_content_is_not_mixed_in(ours: str, tmp_path: Path) -> None:
    """Of the same name, but another array."""
    target = tmp_path / "series.npy"
    with cutting(ours, "/numpy", 600, *[0] * 5) as (url, _), Server(url) as server:
        series = server.series()[0]
        with pytest.raises(ServerError):
            server.save_array("Series", series, target)
    with Server(ours) as server:
        server.save_array("Series", series, target, rescale="0")
        np.testing.assert_array_equal(np.load(target)[..., 0], server.volume(series, rescale=False))
    assert everything(tmp_path) == {"series.npy"}


def test_all_that_was_to_come_is_asked_for_again(ours: str, tmp_path: Path) -> None:
    """As when the program ended between the last byte and the name: 416."""
    target = tmp_path / "series.npy"
    with cutting(ours, "/numpy", 600, *[0] * 5) as (url, _), Server(url) as server:
        series = server.series()[0]
        with pytest.raises(ServerError):
            server.save_array("Series", series, target)
        (part,) = tmp_path.iterdir()
        with part.open("ab") as file:
            file.write(bytes(len(server.content(f"/series/{series}/numpy")) - 600))
        server.save_array("Series", series, target)
        np.testing.assert_array_equal(np.load(target)[..., 0], server.volume(series))
    assert everything(tmp_path) == {"series.npy"}


def test_what_cannot_be_continued_leaves_nothing(orthanc: str, tmp_path: Path) -> None:
    """Orthanc gives no ranges of archives."""
    target = tmp_path / "study.zip"
    with cutting(orthanc, "/archive", 1000) as (url, rule), Server(url) as server:
        (study,) = server.studies()
        with pytest.raises(ServerError, match="broke off"):
            server.save_archive("Study", study, target)
    assert rule.asked == [None]
    assert everything(tmp_path) == set()


@pytest.mark.parametrize("where", ["ours", "orthanc"])
def test_all_kinds(where: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    with Server(request.getfixturevalue(where)) as server:
        (study,) = server.studies()
        series, instance = server.series()[0], server.instances()[0]
        with zipfile.ZipFile(server.save_archive("Study", study, tmp_path / "a.zip")) as archive:
            assert len(archive.namelist()) == 6
        levels: list[tuple[Level, str, int]] = [
            *(("Patient", server.patients()[0], 6), ("Study", study, 6)),
            *(("Series", series, 3), ("Instance", instance, 1)),
        ]
        for level, name, count in levels:
            files = server.save_files(level, name, tmp_path / level)
            assert len({*files}) == count
            assert all(file.read_bytes()[128:132] == b"DICM" for file in files)
        depths = {file.relative_to(tmp_path).parts[0] for file in tmp_path.rglob("*.dcm")}
        assert depths == {"Patient", "Study", "Series", "Instance"}
        assert (tmp_path / "Study" / series).is_dir()
        packed = server.save_array("Series", series, tmp_path / "b.npz", compress="1")
        np.testing.assert_array_equal(
            np.load(packed)["arr_0"], np.load(io.BytesIO(server.content(f"/series/{series}/numpy")))
        )


def test_kinds_of_ours(ours: str, orthanc: str, tmp_path: Path) -> None:
    with Server(ours) as server:
        series, (study,) = server.series(), server.studies()
        for name in ("a.nii", "a.nii.gz"):
            image = nibabel.load(server.save_nifti(series[0], tmp_path / name))
            assert isinstance(image, nibabel.Nifti1Image)
            assert image.shape == (30, 20, 3)
        arrays = np.load(server.save_array("Study", study, tmp_path / "study.npz"))
        assert sorted(arrays) == sorted(series)
    with Server(orthanc) as server, pytest.raises(ServerError, match="needs orthanc_fast"):
        server.save_nifti(series[0], tmp_path / "b.nii")
    with Server(orthanc) as server, pytest.raises(ServerError, match="needs orthanc_fast"):
        server.save_array("Study", study, tmp_path / "b.npz")
    with Server(orthanc) as server, pytest.raises(ServerError, match="needs orthanc_fast"):
        server.save_array("Series", series[0], tmp_path / "b.npy", dtype="int16")
    assert not [*tmp_path.glob("*b.*")]


def test_files_that_are_there_are_not_fetched_again(ours: str, tmp_path: Path) -> None:
    with cutting(ours, "/file") as (url, rule), Server(url) as server:
        series = server.series()[0]
        files = server.save_files("Series", series, tmp_path)
        files[0].write_bytes(b"cut off")
        files[1].unlink()
        rule.asked.clear()
        told: list[tuple[int, int | None]] = []
        again = server.save_files("Series", series, tmp_path, lambda *each: told.append(each))
    assert again == files
    assert len(rule.asked) == 2
    assert sorted(told) == [(1, 3), (2, 3), (3, 3)]
    assert {len(file.read_bytes()) for file in files} == {files[2].stat().st_size}


def test_an_error_of_one_ends_the_others(ours: str, tmp_path: Path) -> None:
    with cutting(ours, "/file", 10) as (url, rule), Server(url) as server:
        with pytest.raises(ServerError, match="broke off after 10 of"):
            server.save_files("Study", server.studies()[0], tmp_path, at_once=1)
        assert len(rule.asked) < 6
    assert not [*tmp_path.rglob("*.part")]
