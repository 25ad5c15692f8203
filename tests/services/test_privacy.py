"""Nobody but the server's user, and the group that is configured, can read what is stored."""

import os
import stat
from pathlib import Path

import httpx
import pytest
from support import generated
from support.server import OurServer

from orthanc_fast.services.store.opening import INDEX_FOLDER

# A group that no user of a test machine is in by chance.
GROUP = 61234


def modes(folder: Path) -> dict[str, tuple[int, int]]:
    """Mode and group of everything below."""
    found = {}
    for path in folder.rglob("*"):
        status = path.lstat()
        found[str(path.relative_to(folder))] = (stat.S_IMODE(status.st_mode), status.st_gid)
    return found


def fill(server: OurServer) -> None:
    template = generated.small()
    for number in range(3):
        data = bytes(template.number(1, 1, 1, number))
        assert httpx.post(f"{server.url}/instances", content=data).status_code == 200
    large = bytes(generated.ct_slice().number(1, 1, 1, 9))
    assert httpx.post(f"{server.url}/instances", content=large).status_code == 200


def test_nothing_of_the_store_is_readable_by_others(tmp_path: Path) -> None:
    usual = os.umask(0o022)
    try:
        with OurServer(tmp_path, {"MaximumUploadMemoryMB": 0}) as server:
            fill(server)
            found = modes(tmp_path / "storage")
    finally:
        os.umask(usual)
    open_to_others = {name: oct(mode) for name, (mode, _) in found.items() if mode & 0o077}
    assert open_to_others == {}
    assert any(name.startswith(INDEX_FOLDER) for name in found)
    assert sum(name.count("/") == 2 and name[2] == "/" for name in found) == 4, "the files"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to any group")
def test_a_group_may_read(tmp_path: Path) -> None:
    with OurServer(tmp_path, {"StoreGroup": str(GROUP), "MaximumUploadMemoryMB": 0}) as server:
        fill(server)
        found = modes(tmp_path / "storage")
    for name, (mode, group) in found.items():
        if "metrics-" in name or name.endswith(
            ("started", "associations", "history", "webhooks.lock")
        ):
            continue  # no data of patients
        assert group == GROUP, name
        assert mode & 0o777 == (0o750 if (tmp_path / "storage" / name).is_dir() else 0o640), name


def test_a_store_of_an_earlier_version_is_closed(tmp_path: Path) -> None:
    with OurServer(tmp_path) as server:
        fill(server)
    storage = tmp_path / "storage"
    storage.chmod(0o755)
    folders = [path for path in storage.iterdir() if path.is_dir()]
    for folder in folders:
        folder.chmod(0o755)
    with OurServer(tmp_path):
        assert {oct(stat.S_IMODE(folder.stat().st_mode)) for folder in folders} == {"0o700"}
    assert stat.S_IMODE(storage.stat().st_mode) == 0o755, "it may hold other things"


def test_an_unknown_group_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="StoreGroup: there is no group 'nobody-has-this'"):
        OurServer(tmp_path, {"StoreGroup": "nobody-has-this"}).start()
