"""The commands as a user calls them: output, exit codes, clear messages."""

import gzip
import io
import json
import shutil
import socket
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any, Literal

import httpx
import lmdb
import pytest
from click.testing import CliRunner
from support import generated
from support.ports import free_port
from support.reference_server import ReferenceServer
from support.server import OurServer

import orthanc_fast
from orthanc_fast.cli import main
from orthanc_fast.client.archives import files
from orthanc_fast.services.store.opening import INDEX_FOLDER
from orthanc_fast.services.users.passwords import matches


def cli(*arguments: str | Path, timeout: float = 30) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "orthanc_fast.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def test_a_password_becomes_a_hash() -> None:
    """It is asked for twice, and shown nowhere."""
    answer = CliRunner().invoke(main, ["password"], input="secret: x\nsecret: x\n")
    assert answer.exit_code == 0
    text = answer.stdout.splitlines()[-1]
    assert matches("secret: x", text)
    assert "secret" not in answer.output
    assert CliRunner().invoke(main, ["password"], input="a\nb\n").exit_code != 0


def configuration(folder: Path, **options: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "configuration.json"
    values = {"DicomServerEnabled": False, "IndexMapSizeGB": 1, "HttpPort": free_port()}
    file.write_text(json.dumps({**values, "StorageDirectory": str(folder / "store"), **options}))
    return file


def slices(count: int) -> list[bytes]:
    template = generated.small()
    return [bytes(template.number(1, 1, 1, number)) for number in range(count)]


def test_version() -> None:
    assert orthanc_fast.__version__ in cli("--version").stdout


def one_clear_line(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("orthanc-fast: ")]
    assert len(lines) == 1, done.stderr
    for word in words:
        assert word in lines[0]


def test_a_wrong_configuration_is_2(tmp_path: Path) -> None:
    file = configuration(tmp_path, HttpPort="8042")
    one_clear_line(cli("serve", file), 2, str(file), "HttpPort")


def test_a_port_in_use_is_3(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = occupied.getsockname()[1]
        done = cli("serve", configuration(tmp_path, HttpPort=port))
    one_clear_line(done, 3, str(port))


def test_nothing_to_serve_is_3(tmp_path: Path) -> None:
    done = cli("serve", configuration(tmp_path, HttpServerEnabled=False))
    one_clear_line(done, 3, "HttpServerEnabled", "DicomServerEnabled")


def test_a_storage_that_cannot_be_written_is_3(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = cli("serve", configuration(tmp_path, StorageDirectory=str(tmp_path / "file" / "store")))
    one_clear_line(done, 3, str(tmp_path / "file"))


def test_a_warning_that_does_not_exist_is_3(tmp_path: Path) -> None:
    file = configuration(tmp_path, Warnings={"W999_Nothing": False})
    one_clear_line(cli("serve", file), 3, "W999_Nothing")


def test_an_index_of_another_version_is_3(tmp_path: Path) -> None:
    file = configuration(tmp_path)
    folder = tmp_path / "store" / INDEX_FOLDER
    folder.mkdir(parents=True)
    env = lmdb.open(str(folder), max_dbs=20)
    with env.begin(write=True, db=env.open_db(b"global")) as txn:
        txn.put(b"schema", b"99")
    env.close()
    one_clear_line(cli("serve", file), 3, "version 99")


def sources(folder: Path) -> Path:
    """Six instances as plain files, in a ZIP and in a tar.gz; and a file that is none."""
    files = slices(6)
    nested = folder / "plain" / "nested"
    nested.mkdir(parents=True)
    (nested / "1").write_bytes(files[0])
    (folder / "plain" / "2.dcm").write_bytes(files[1])
    (folder / "plain" / "notes.txt").write_text("no DICOM")
    with zipfile.ZipFile(folder / "two.zip", "w") as archive:
        archive.writestr("a/3", files[2])
        archive.writestr("4", files[3])
    with tarfile.open(folder / "two.tar.gz", "w:gz") as archive_tar:
        for number in (4, 5):
            member = tarfile.TarInfo(f"b/{number}")
            member.size = len(files[number])
            archive_tar.addfile(member, io.BytesIO(files[number]))
    return folder


def test_import_with_a_password(tmp_path: Path) -> None:
    folder = sources(tmp_path / "sources")
    options = {"RegisteredUsers": {"alice": "secret"}, "AuthenticationEnabled": True}
    with OurServer(tmp_path / "server", options) as server:
        refused = cli("import", folder, "--server", server.url)
        assert refused.returncode == 1
        assert "401" in refused.stderr
        done = cli("import", folder, "--server", server.url, "--user", "alice:secret")
        again = cli("import", folder, "--server", server.url, "--user", "alice:secret")
        assert httpx.get(f"{server.url}/statistics", auth=("alice", "secret")).json()[
            "CountInstances"
        ] == len(slices(6))
    assert done.returncode == 1, "one file was refused"
    assert "notes.txt" in done.stderr
    assert "6 stored, 0 already there, 1 refused" in done.stdout
    assert "0 stored, 6 already there, 1 refused" in again.stdout


TarMode = Literal["w:", "w:gz", "w:bz2", "w:xz"]


def tar_of(members: dict[str, bytes], mode: TarMode) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def zip_of(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_import_of_archives_of_every_kind(tmp_path: Path) -> None:
    data = slices(9)
    folder = tmp_path / "sources"
    (folder / "deep" / "deeper").mkdir(parents=True)
    archives: list[tuple[str, TarMode]] = [
        ("a.tar", "w:"),
        ("b.tar.gz", "w:gz"),
        ("c.tgz", "w:gz"),
        ("d.tar.bz2", "w:bz2"),
    ]
    for number, (name, mode) in enumerate(archives):
        (folder / "deep" / name).write_bytes(tar_of({f"x/{number}": data[number]}, mode))
    (folder / "deep" / "deeper" / "e.tar.xz").write_bytes(tar_of({"4": data[4]}, "w:xz"))
    inner = tar_of({"5": data[5], "README": b"not DICOM"}, "w:bz2")
    (folder / "f.zip").write_bytes(
        zip_of({"g/6": data[6], "g/inner.tar.bz2": inner, "g/DICOMDIR.txt": b"neither"})
    )
    (folder / "7.dcm.gz").write_bytes(gzip.compress(data[7]))
    (folder / "no-suffix").write_bytes(zip_of({"8": data[8]}))
    with OurServer(tmp_path / "server") as server:
        done = cli("import", folder, "--server", server.url)
        assert len(httpx.get(f"{server.url}/instances").json()) == 9
    assert "9 stored, 0 already there, 0 refused, 2 in archives are no DICOM files" in done.stdout
    assert (done.returncode, done.stderr) == (0, "")


def test_import_of_damaged_archives(our_server: OurServer, tmp_path: Path) -> None:
    """What can be read is stored, what cannot is named; a damaged DICOM file is no other file."""
    data = slices(3)
    whole = tar_of({"0": data[0], "1": data[1]}, "w:gz")
    (tmp_path / "cut.tar.gz").write_bytes(whole[: len(whole) * 3 // 4])
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04" + bytes(100))
    (tmp_path / "good.zip").write_bytes(zip_of({"2": data[2], "damaged": data[2][:200]}))
    done = cli("import", tmp_path, "--server", our_server.url)
    assert done.returncode == 1
    for name in ("cut.tar.gz", "bad.zip", "good.zip:damaged"):
        assert name in done.stderr
    assert " 4 refused;" in done.stdout  # the member that is cut, too


def test_an_archive_with_a_name_that_is_no_text_is_refused_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zip_of({"\u00e4": b"content"}).replace("\u00e4".encode(), b"\xff\xff"))
    refused: list[str] = []
    assert list(files(path, lambda name, why: refused.append(name))) == []
    assert refused == [str(path)]


def test_import_of_good_files_is_0(our_server: OurServer, tmp_path: Path) -> None:
    (tmp_path / "slice").write_bytes(slices(1)[0])
    assert cli("import", tmp_path, "--server", our_server.url).returncode == 0


def test_check_finds_and_repairs(tmp_path: Path) -> None:
    with OurServer(tmp_path) as server:
        for data in slices(4):
            assert httpx.post(f"{server.url}/instances", content=data).status_code == 200
    clean = cli("check", server.config_path)
    assert (clean.returncode, clean.stdout) == (0, "4 instances, 4 files, 0 faults\n")

    store = tmp_path / "storage"
    missing, damaged, *_ = sorted(file for file in store.glob("??/??/*") if file.is_file())
    missing.unlink()
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    stray = store / "00" / "11" / "00110000-0000-4000-8000-000000000000"
    stray.parent.mkdir(parents=True, exist_ok=True)
    stray.write_bytes(b"stray")

    found = cli("check", server.config_path)
    assert found.returncode == 1
    kinds = sorted(line.partition(":")[0] for line in found.stdout.splitlines()[:-1])
    assert kinds == ["checksum", "missing", "stray"]

    repaired = cli("check", "--repair", server.config_path)
    assert repaired.stdout.count("(repaired)") == 1
    assert stray.read_bytes() == b"stray", "whose it is cannot be known"
    rest = cli("check", server.config_path)
    assert "3 instances, 3 files, 2 faults" in rest.stdout, "files are left alone"
    assert rest.returncode == 1


def everything_below(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("command", [["serve"], ["check"], ["check", "--repair"]])
def test_the_store_of_an_orthanc_is_left_alone(
    tmp_path: Path, needs_reference: None, command: list[str]
) -> None:
    file = configuration(tmp_path)
    store = tmp_path / "store"
    with ReferenceServer(tmp_path / "orthanc") as orthanc:
        for data in slices(3):
            assert httpx.post(f"{orthanc.url}/instances", content=data).status_code == 200
    (tmp_path / "orthanc" / "storage").rename(store)
    before = everything_below(store)
    assert len(before) > 3
    one_clear_line(cli(*command, file), 3, str(store), "Orthanc")
    assert everything_below(store) == before


@pytest.mark.parametrize("command", [["serve"], ["check", "--repair"]])
def test_the_files_of_an_orthanc_with_postgresql_are_left_alone(
    tmp_path: Path, command: list[str]
) -> None:
    file = configuration(tmp_path, PostgreSQL={"EnableIndex": True})
    foreign = tmp_path / "store" / "0a" / "1b" / "0a1b0000-0000-4000-8000-000000000000"
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes(slices(1)[0])
    one_clear_line(cli(*command, file), 3, "PostgreSQL")
    assert foreign.exists()


def test_a_check_without_an_index_makes_none(tmp_path: Path) -> None:
    file = configuration(tmp_path)
    one_clear_line(cli("check", "--repair", file), 3, "no index")
    assert not (tmp_path / "store").exists()


def test_files_of_a_lost_index_are_set_aside(tmp_path: Path) -> None:
    """What an index that is gone had acknowledged may still lie in `incoming`."""
    with OurServer(tmp_path) as server:
        assert httpx.post(f"{server.url}/instances", content=slices(1)[0]).status_code == 200
    (kept,) = [path for path in (tmp_path / "storage").glob("??/??/*") if path.is_file()]
    shutil.rmtree(tmp_path / "storage" / INDEX_FOLDER)
    name = f"{'ab' * 20}.{kept.name}"
    # Either worker may have answered, and the other one may not have made its folder by then.
    incoming = tmp_path / "storage" / "incoming" / "http-0"
    incoming.mkdir(exist_ok=True)
    kept.rename(incoming / name)
    with OurServer(tmp_path) as server:
        assert httpx.get(f"{server.url}/instances").json() == []
    assert len(list((tmp_path / "storage").glob(f"incoming-*/*/{name}"))) == 1


@pytest.mark.parametrize(
    "command",
    ["serve", "import", "check", "config", "health", "rebuild", "backup", "restore"],
)
def test_every_command_explains_itself(command: str) -> None:
    done = cli(command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: ")
