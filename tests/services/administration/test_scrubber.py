"""Stored files are read again and compared; what is damaged is listed and named."""

import hashlib
import threading
import zlib
from pathlib import Path
from struct import pack

import pytest
import xxhash
from support.scrubbing import DAY, Night, replace
from support.small_store import SmallStore

from orthanc_fast.config_scrubber import Scrubber as Options
from orthanc_fast.config_scrubber import scrubber
from orthanc_fast.index.contract import Transaction
from orthanc_fast.model import Attachment, Caller, Level
from orthanc_fast.registries import DICOM_ATTACHMENT
from orthanc_fast.services.administration.check import compare
from orthanc_fast.services.administration.damages import damages
from orthanc_fast.services.administration.integrity import Integrity
from orthanc_fast.services.administration.scrubber import status_of
from orthanc_fast.services.attachments.verifying import verify
from orthanc_fast.storage.conformance import stored


def file_of(store: SmallStore, instance: bytes) -> Attachment:
    found = store.resource(Level.INSTANCE, instance)
    assert found is not None
    return found.attachments[DICOM_ATTACHMENT]


def damage(store: SmallStore, instance: bytes) -> bytes:
    """Turns one bit; the bytes as they were."""
    uuid = file_of(store, instance).uuid
    content = store.storage.read(uuid)
    replace(store, uuid, content[:-1] + bytes([content[-1] ^ 1]))
    return content


def test_a_damaged_file_is_listed_until_it_is_sound_again(
    small_store: SmallStore, tmp_path: Path, caller: Caller
) -> None:
    ids = [small_store.add(1, 1, 1, number) for number in range(5)]
    night = Night(small_store, tmp_path)
    night.round()
    integrity = Integrity(small_store.settings, small_store.reads)
    assert integrity.answer(caller).damaged == []
    content = damage(small_store, ids[2][3])
    small_store.storage.delete([file_of(small_store, ids[4][3]).uuid])
    night.round()
    answer = integrity.answer(caller)
    assert answer.last_round is not None
    assert (answer.last_round.files, answer.last_round.damaged) == (5, 2)
    kinds = {each.identifier.replace("-", ""): each.kind for each in answer.damaged}
    assert kinds == {ids[2][3].hex(): "checksum", ids[4][3].hex(): "missing"}
    shown = answer.damaged[0]
    assert (shown.patient_id, shown.patient_name) == ("PATIENT0000000001", "Test^Person")
    assert (shown.study_description, shown.study_date) == ("Thorax", "20240115")
    assert shown.study.replace("-", "") == ids[0][1].hex()
    assert integrity.figures(caller)["orthanc_damaged_files_count"] == 2.0
    replace(small_store, file_of(small_store, ids[2][3]).uuid, content)
    small_store.index.write(lambda txn: txn.delete(Level.INSTANCE, ids[4][3], 1))
    night.round()
    assert small_store.index.read(damages) == []
    assert integrity.figures(caller)["orthanc_damaged_files_count"] == 0.0


def test_the_first_reading_notes_md5s(small_store: SmallStore, tmp_path: Path) -> None:
    instance = small_store.add(1, 1, 1, 1)[3]
    before = file_of(small_store, instance)
    assert before.md5 is None
    Night(small_store, tmp_path).round()
    md5 = hashlib.md5(small_store.storage.read(before.uuid)).hexdigest()
    after = file_of(small_store, instance)
    assert (after.md5, after.stored_md5, after.revision) == (md5, md5, 0)


def test_it_goes_on_where_it_was(small_store: SmallStore, tmp_path: Path) -> None:
    for number in range(250):
        small_store.add(1, 1, 1, number)
    first = Night(small_store, tmp_path)
    first.time += DAY
    first.scrubber.turn()
    present = small_store.index.read(status_of).present
    assert present is not None and present.files == 100
    second = Night(small_store, tmp_path)
    second.scrubber._status = small_store.index.read(status_of)
    second.until(lambda: small_store.index.read(status_of).last is not None)
    last = small_store.index.read(status_of).last
    assert last is not None and last.files == 250


def test_it_stops_in_the_middle_of_a_file(small_store: SmallStore, tmp_path: Path) -> None:
    small_store.add(1, 1, 1, 1)
    night = Night(small_store, tmp_path, Options(enable=True, days=1.0, megabytes_per_second=1e-6))
    threading.Timer(0.1, night.stopping.set).start()
    night.scrubber.run()
    present = small_store.index.read(status_of).present
    assert present is not None and present.files == 0


def test_it_rests_between_rounds_and_outside_of_its_hours(
    small_store: SmallStore, tmp_path: Path
) -> None:
    small_store.add(1, 1, 1, 1)
    night = Night(small_store, tmp_path)
    night.round()
    night.stopping.set()  # so that it waits for nothing
    night.scrubber.turn()
    assert small_store.index.read(status_of).present is None
    never = scrubber({"Enable": True, "Schedule": {"Monday": ["3-4"]}})
    assert never is not None and never.share == 1 / 168
    resting = Night(small_store, tmp_path, never)
    resting.time = 1e9 + 10 * DAY  # a Wednesday
    resting.stopping.set()
    resting.scrubber.turn()
    assert resting.scrubber._status.present is None


def test_what_is_deleted_while_it_is_read_is_no_damage(
    small_store: SmallStore, tmp_path: Path
) -> None:
    instance = small_store.add(1, 1, 1, 1)[3]
    resource = small_store.resource(Level.INSTANCE, instance)
    assert resource is not None
    night = Night(small_store, tmp_path)
    night.until(lambda: night.scrubber._status.present is not None)
    uuid = file_of(small_store, instance).uuid
    small_store.index.write(lambda txn: txn.delete(Level.INSTANCE, instance, 1))
    small_store.storage.delete([uuid])
    night.scrubber._status.present = present = type(night.scrubber._status.present)()  # type: ignore[misc]
    night.scrubber._read(resource)
    assert present.damaged == 0


def test_a_deep_check_does_the_same_at_once(
    small_store: SmallStore, tmp_path: Path, caller: Caller
) -> None:
    good, bad = (small_store.add(1, 1, 1, number)[3] for number in range(2))
    small_store.index.write(lambda txn: mark(txn, good))
    damage(small_store, bad)
    told: list[tuple[int, int]] = []
    shallow = compare(small_store.index, small_store.storage, False)
    assert [each.kind for each in shallow.findings] == ["checksum"]
    assert small_store.index.read(damages) == []
    report = compare(
        small_store.index, small_store.storage, False, True, lambda *each: told.append(each)
    )
    assert [each.kind for each in report.findings] == ["checksum", "checksum"]
    assert all("patient PATIENT0000000001 (Test^Person)" in f.subject for f in report.findings)
    assert "20240115 Thorax" in report.findings[0].subject
    assert told[-1] == (2, 2)
    listed = {each.public for each in small_store.index.read(damages)}
    assert listed == {good, bad}


def mark(transaction: Transaction, instance: bytes) -> None:
    """An MD5 that the file does not have, as one that was adopted may bring."""
    resource = transaction.resource(Level.INSTANCE, instance)
    assert resource is not None
    transaction.set_md5(resource, DICOM_ATTACHMENT, "0" * 32, None)


def test_checksums_of_what_is_compressed(small_store: SmallStore) -> None:
    content = b"content " * 1000
    packed = pack("<Q", len(content)) + zlib.compress(content)
    uuid = stored(small_store.storage, packed)
    plain, outer = (hashlib.md5(each).hexdigest() for each in (content, packed))
    attachment = Attachment(uuid, len(content), len(packed), True, b"", plain, outer)
    digest = xxhash.xxh3_128_digest(content)
    assert verify(small_store.storage, attachment, True) == (None, (plain, outer), digest)
    attachment.stored_md5 = "0" * 32
    found = verify(small_store.storage, attachment, True).fault
    assert found is not None and found.kind == "checksum"
    replace(small_store, uuid, packed[:-4] + b"abcd")
    found = verify(small_store.storage, attachment).fault
    assert found is not None and found.kind == "checksum"
    replace(small_store, uuid, packed[:-4])
    found = verify(small_store.storage, attachment).fault
    assert found is not None and found.kind == "size"


@pytest.mark.parametrize(
    ("section", "reason"),
    [
        ({"Days": 0}, "Days"),
        ({"MegabytesPerSecond": -1}, "MegabytesPerSecond"),
        ({"Schedule": {"Sunday": ["5-3"]}}, "Schedule"),
    ],
)
def test_wrong_sections(section: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        scrubber({"Enable": True, **section})
    assert scrubber(section) is None
