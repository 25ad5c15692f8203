"""The files of the viewer with the path below which it is served."""

from pathlib import Path

import pytest

from orthanc_fast.config_viewers import Ohif, ohif
from orthanc_fast.services.viewers.application import CHUNK, Application, WebFile
from orthanc_fast.services.viewers.ohif import configuration

PAGE = b'<link href="/a.css"><a href="//other/"></a><script>window.PUBLIC_URL="/"</script>'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in {
        "index.html": PAGE,
        "a.css": b"@font-face{src:url(/f.woff2)} b{c:url('/d')} e{f:url(data:x)}",
        "app.js": b'x.p = "/";\nvar a = "/b"; y.p="/",z; t.p = "/etc";',
        "manifest.json": b'{"src": "/icon.png", "b":"c/d"}',
        "empty.js": b"",
        "deep/1234567890abcdef.wasm": b"\0asm/",
        "assets/index-73874c9b.js": b"",
    }.items():
        path = tmp_path / "dist" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path


@pytest.fixture
def files(folder: Path) -> Application:
    return Application(folder / "dist", is_relative=False)


def content(file: WebFile | None, base: str = "/v/ohif/") -> bytes:
    assert file is not None
    found = b"".join(file.content(base))
    assert len(found) == file.length(base)
    return found


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("index.html", PAGE.replace(b'="/"', b'="/v/ohif/"').replace(b'"/a', b'"/v/ohif/a')),
        ("a.css", b"@font-face{src:url(/v/ohif/f.woff2)} b{c:url('/v/ohif/d')} e{f:url(data:x)}"),
        ("app.js", b'x.p = "/v/ohif/";\nvar a = "/b"; y.p="/v/ohif/",z; t.p = "/etc";'),
        ("manifest.json", b'{"src": "/v/ohif/icon.png", "b":"c/d"}'),
        ("empty.js", b""),
        ("deep/1234567890abcdef.wasm", b"\0asm/"),
    ],
)
def test_addresses_begin_with_the_path(files: Application, name: str, expected: bytes) -> None:
    assert content(files.file(name)) == expected


@pytest.mark.parametrize("name", ["", "viewer", "microscopy/x"])
def test_addresses_of_the_viewer_are_the_page(files: Application, name: str) -> None:
    assert content(files.file(name), "/") == PAGE


@pytest.mark.parametrize(
    "name", ["none.js", "../secret.txt", "deep/../../secret.txt", "/etc/passwd.x", "deep/no.css"]
)
def test_other_files_are_not_there(folder: Path, files: Application, name: str) -> None:
    (folder / "secret.txt").write_text("secret")
    assert files.file(name) is None


def test_names_that_tell_the_content(files: Application) -> None:
    found = {
        name: files.file(name)
        for name in ("deep/1234567890abcdef.wasm", "assets/index-73874c9b.js", "app.js")
    }
    assert {name: file.is_hashed for name, file in found.items() if file is not None} == {
        "deep/1234567890abcdef.wasm": True,
        "assets/index-73874c9b.js": True,
        "app.js": False,
    }


def test_large_files_come_in_parts(folder: Path) -> None:
    data = b"a" * CHUNK + b'b.p="/";' + b"c" * (2 * CHUNK)
    (folder / "dist" / "large.js").write_bytes(data)
    file = Application(folder / "dist", is_relative=False).file("large.js")
    assert content(file) == data.replace(b"/", b"/v/ohif/")
    assert file is not None
    assert max(len(part) for part in file.content("/")) <= CHUNK


def test_a_file_that_was_cut_meanwhile(folder: Path, files: Application) -> None:
    file = files.file("app.js")
    (folder / "dist" / "app.js").write_bytes(b"x")
    assert file is not None
    with pytest.raises(OSError, match="shorter"):
        list(file.content("/"))


def test_script_of_the_user(folder: Path) -> None:
    script = folder / "mine.js"
    script.write_text("window.config.maxNumberOfWebWorkers = 1;")
    found = configuration(script, "/ohif/", "/dicom-web/", "/wado").decode()
    assert "window.config.maxNumberOfWebWorkers = 1;" in found
    assert '"wadoRoot":"/dicom-web"' in found
    assert '"wadoUriRoot":"/wado"' in found
    assert '"routerBasename":"/ohif/"' in found


def test_options(folder: Path) -> None:
    (folder / "mine.js").touch()
    assert ohif({}, folder) is None
    assert ohif({"DataSource": "dicom-web"}, folder) is None
    found = ohif({"Folder": ".", "RouterBasename": "view", "UserConfiguration": "mine.js"}, folder)
    assert found == Ohif(folder / "dist", "/view/", folder / "mine.js")
    assert ohif({"Folder": str(folder / "dist")}, Path("/")) == Ohif(
        folder / "dist", "/ohif/", None
    )


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"Folder": "nowhere"}, "no index.html"),
        ({"Folder": ".", "RouterBasename": "/"}, "RouterBasename"),
        ({"Folder": ".", "RouterBasename": "/a b/"}, "RouterBasename"),
        ({"Folder": ".", "RouterBasename": "/a//b/"}, "RouterBasename"),
        ({"Folder": ".", "UserConfiguration": "none.js"}, "UserConfiguration"),
        ({"Folder": 1}, "str"),
    ],
)
def test_options_that_cannot_be(folder: Path, section: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ohif(section, folder)
