"""Worklists in a folder that others write to."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.worklists import file, worklist

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.errors import ParameterOutOfRange, UnknownResource
from orthanc_fast.log import logger
from orthanc_fast.services.worklists import folder as folder_module
from orthanc_fast.services.worklists.entries import Worklist, read_worklist
from orthanc_fast.services.worklists.folder import LARGEST, Complaints, Folder
from orthanc_fast.services.worklists.watch import file_system

DICTIONARY = Dictionary({}, False)


class Site:
    """A folder, what is known of it, and how often files were read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.read: list[str] = []
        self.named: set[str] = set()
        self.character_set = "Latin1"
        self.folder = Folder(
            path,
            self._read,
            Complaints(self._claim, self.named.discard),
            lambda: self.character_set,
        )

    def _read(self, identifier: str, data: bytes, character_set: str) -> Worklist:
        self.read.append(identifier)
        return read_worklist(identifier, data, DICTIONARY, character_set)

    def _claim(self, name: str) -> bool:
        is_new = name not in self.named
        self.named.add(name)
        return is_new

    def write(self, name: str, number: int, age: float = 60.0) -> None:
        """A file that was written `age` seconds ago, by renaming."""
        new = self.path / "new"
        new.write_bytes(file(worklist(number)))
        os.utime(new, (time.time() - age,) * 2)
        new.rename(self.path / name)

    @property
    def patients(self) -> dict[str, str]:
        """The patients by the worklists' identifiers."""
        return {each.id: each.elements["0010,0020"]["Value"] for each in self.folder.all()}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    path = tmp_path / "worklists"
    path.mkdir()
    found = Site(path)
    yield found
    found.folder.close()


@pytest.fixture
def errors(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(logger, "error", lambda category, text: lines.append(text))
    return lines


def test_changes_are_seen_with_the_next_question(site: Site) -> None:
    assert site.patients == {}
    site.write("a.wl", 1)
    site.write("B.WL", 2)
    site.write("c.dcm", 3)
    (site.path / "folder.wl").mkdir()
    assert site.patients == {"a": "P1", "B": "P2"}
    site.write("a.wl", 4)
    assert site.patients == {"a": "P4", "B": "P2"}
    (site.path / "a.wl").rename(site.path / "z.wl")
    assert site.patients == {"z": "P4", "B": "P2"}
    (site.path / "z.wl").rename(site.path / "z.txt")
    (site.path / "B.WL").unlink()
    assert site.patients == {}


def test_a_file_that_is_replaced_by_renaming(site: Site) -> None:
    """As careful writers do it; also while it is not there for a moment."""
    site.write("a.wl", 1)
    assert site.patients == {"a": "P1"}
    for number in range(2, 5):
        site.write("a.tmp", number)
        (site.path / "a.tmp").rename(site.path / "a.wl")
        assert site.patients == {"a": f"P{number}"}
    (site.path / "a.wl").unlink()
    site.write("elsewhere.txt", 7)
    (site.path / "elsewhere.txt").rename(site.path / "a.wl")
    assert site.patients == {"a": "P7"}


def test_of_thousands_only_what_has_changed_is_read(site: Site) -> None:
    for number in range(5000):
        site.write(f"{number}.wl", number)
    assert len(site.patients) == 5000
    del site.read[:]
    site.write("17.wl", 5017)
    (site.path / "18.wl").unlink()
    site.write("new.wl", 6000)
    patients = site.patients
    assert (len(patients), patients["17"], patients["new"]) == (5000, "P5017", "P6000")
    assert sorted(site.read) == ["17", "new"]


def test_files_that_have_not_changed_are_not_read_again(site: Site) -> None:
    for number in range(20):
        site.write(f"{number}.wl", number)
    for _ in range(3):
        assert len(site.patients) == 20
    assert len(site.read) == 20
    site.write("3.wl", 33)
    assert site.patients["3"] == "P33"
    assert site.read[20:] == ["3"]


def test_a_file_that_is_being_written_is_not_seen(site: Site, errors: list[str]) -> None:
    data = file(worklist(1))
    assert site.patients == {}
    with (site.path / "a.wl").open("wb", buffering=0) as target:
        assert site.patients == {}
        target.write(data[:500])
        assert site.patients == {}
        target.write(data[500:])
    assert site.patients == {"a": "P1"}
    with (site.path / "a.wl").open("r+b", buffering=0) as target:
        target.truncate(300)
        assert site.patients == {"a": "P1"}
        target.seek(0)
        target.write(file(worklist(2)))
    assert site.patients == {"a": "P2"}
    assert errors == []


def test_one_that_was_half_there_at_the_start_is_read_when_it_is_whole(
    site: Site, errors: list[str]
) -> None:
    data = file(worklist(1))
    with (site.path / "a.wl").open("wb", buffering=0) as target:
        target.write(data[:500])
        assert site.patients == {}
        target.write(data[500:])
    assert site.patients == {"a": "P1"}
    assert errors == []


def test_links(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(file(worklist(1)))
    assert site.patients == {}
    os.link(target, site.path / "hard.wl")
    (site.path / "soft.wl").symlink_to(target)
    (site.path / "lost.wl").symlink_to(tmp_path / "nowhere")
    assert site.patients == {"hard": "P1", "soft": "P1"}
    other = tmp_path / "other"
    other.write_bytes(file(worklist(2)))
    other.rename(target)
    assert site.patients == {"hard": "P1", "soft": "P2"}


@pytest.mark.parametrize("is_local", [True, False])
def test_broken_files_are_named_once(
    site: Site, errors: list[str], is_local: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_local:
        monkeypatch.setattr("orthanc_fast.services.worklists.watch._LOCAL", frozenset())
    site.write("good.wl", 1)
    long_ago = (time.time() - 3600,) * 2
    contents = {
        "text.wl": b"hello",
        "empty.wl": b"",
        "half.wl": file(worklist(2))[:400],
        "huge.wl": bytes(LARGEST + 1),
    }
    for name, data in contents.items():
        (site.path / name).write_bytes(data)
        os.utime(site.path / name, long_ago)
    for _ in range(3):
        assert site.patients == {"good": "P1"}
    assert len(errors) == 4
    assert all(sum(str(site.path / name) in line for line in errors) == 1 for name in contents)
    os.utime(site.path / "text.wl", (time.time() - 1800,) * 2)
    assert site.patients == {"good": "P1"}
    assert len(errors) == 4
    site.write("text.wl", 5)
    assert site.patients == {"good": "P1", "text": "P5"}
    (site.path / "text.wl").write_bytes(b"again")
    os.utime(site.path / "text.wl", long_ago)
    assert site.patients == {"good": "P1"}
    assert len(errors) == 5
    for name in contents:
        (site.path / name).unlink()
    assert site.patients == {"good": "P1"}
    assert site.named == set()


def test_a_pipe_keeps_nobody_waiting(site: Site) -> None:
    os.mkfifo(site.path / "pipe.wl")
    site.write("a.wl", 1)
    assert site.patients == {"a": "P1"}


def test_where_the_kernel_does_not_tell_all_the_folder_is_listed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orthanc_fast.services.worklists.watch._LOCAL", frozenset())
    assert site.patients == {}
    for number in range(5):
        site.write(f"{number}.wl", number)
    assert len(site.patients) == 5
    del site.read[:]
    assert len(site.patients) == 5
    assert site.read == []
    site.write("2.wl", 7, age=30)
    (site.path / "3.wl").unlink()
    assert site.patients == {"0": "P0", "1": "P1", "2": "P7", "4": "P4"}
    assert site.read == ["2"]


def test_without_inotify_the_folder_is_listed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user may have 128 of them, and others may have taken these."""

    def refuse(folder: Path) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(folder_module, "Watch", refuse)
    site.write("a.wl", 1)
    assert site.patients == {"a": "P1"}
    site.write("b.wl", 2)
    assert site.patients == {"a": "P1", "b": "P2"}


def test_the_folder_may_come_and_go(tmp_path: Path) -> None:
    path = tmp_path / "later"
    site = Site(path)
    assert site.patients == {}
    path.mkdir()
    site.write("a.wl", 1)
    assert site.patients == {"a": "P1"}
    path.rename(tmp_path / "elsewhere")
    assert site.patients == {}
    path.mkdir()
    site.write("b.wl", 2)
    assert site.patients == {"b": "P2"}
    shutil.rmtree(path)
    assert site.patients == {}
    site.folder.put("c", file(worklist(3)))
    assert site.patients == {"c": "P3"}
    site.folder.close()


def test_more_changes_than_the_kernel_keeps(site: Site) -> None:
    assert site.patients == {}
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if limit > 100_000:
        pytest.fail(f"this kernel keeps {limit} events: the test would take too long")
    site.write("a.wl", 1)
    for _ in range(limit // 2 + 10):  # each makes two events that are not alike
        os.rename(site.path / "a.wl", site.path / "b.wl")
        os.rename(site.path / "b.wl", site.path / "a.wl")
    site.write("c.wl", 2)
    assert site.patients == {"a": "P1", "c": "P2"}


def test_a_thread_reads_what_changes(site: Site) -> None:
    site.folder.follow()
    site.write("a.wl", 1)
    deadline = time.monotonic() + 60
    while not site.read and time.monotonic() < deadline:
        time.sleep(0.01)
    assert set(site.read) == {"a"}  # twice if the kernel tells of it while the folder is listed
    assert site.patients == {"a": "P1"}


def test_the_default_character_set_may_change(site: Site) -> None:
    dataset = worklist(1, character_set=None)
    dataset.add_new(0x00081030, "LO", "Жук".encode("iso8859-5"))
    (site.path / "a.wl").write_bytes(file(dataset))

    def description() -> str:
        return str(site.folder.get("a").elements["0008,1030"]["Value"])

    assert description() == "Жук".encode("iso8859-5").decode("latin-1")
    site.character_set = "Cyrillic"
    assert description() == "Жук"


def test_own_files(site: Site) -> None:
    site.folder.put("new", file(worklist(1)))
    assert site.patients == {"new": "P1"}
    assert [path.name for path in site.path.iterdir()] == ["new.wl"]
    site.folder.put("new", file(worklist(2)))
    assert site.folder.get("new").elements["0010,0020"]["Value"] == "P2"
    site.write("theirs.WL", 3)
    site.folder.put("theirs", file(worklist(4)))
    assert site.patients == {"new": "P2", "theirs": "P4"}
    site.folder.delete("theirs")
    site.folder.delete("new")
    assert list(site.path.iterdir()) == []
    for ask in (site.folder.delete, site.folder.get):
        with pytest.raises(UnknownResource):
            ask("new")


@pytest.mark.parametrize("identifier", ["", "../a", "a/b", "a\0", "ä" * 127])
def test_what_can_be_no_name(site: Site, identifier: str) -> None:
    with pytest.raises(ParameterOutOfRange):
        site.folder.put(identifier, b"")
    assert not any(site.path.parent.glob("a.wl"))


def test_file_systems() -> None:
    assert file_system(Path("/proc")) == "proc"
    assert file_system(Path("/sys")) == "sysfs"
    assert file_system(Path("/dev/shm")) == "tmpfs"


def test_a_study_that_is_a_sequence(site: Site) -> None:
    dataset = worklist(1)
    del dataset.StudyInstanceUID
    data = file(dataset)
    at = data.index(b"\x40\x00\x00\x01SQ")  # before the steps
    study = b"\x20\x00\x0d\x00SQ\0\0\x08\0\0\0\xfe\xff\x00\xe0\0\0\0\0"
    (site.path / "a.wl").write_bytes(data[:at] + study + data[at:])
    assert [each.study_uid for each in site.folder.all()] == [""]


def test_whatever_is_wrong_with_one_file_the_others_are_there(
    site: Site, errors: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(identifier: str, data: bytes, character_set: str) -> Worklist:
        if identifier == "bad":
            raise RecursionError
        return read_worklist(identifier, data, DICTIONARY, character_set)

    monkeypatch.setattr(site.folder, "_read", read)
    site.write("bad.wl", 1)
    site.write("good.wl", 2)
    assert site.patients == {"good": "P2"}
    assert len(errors) == 1
