"""Reading stored files anew, without a server."""

import msgspec
import pytest
from support import generated
from support.renewed import renewal
from support.small_store import SmallStore

from orthanc_fast.config import Settings
from orthanc_fast.dicom.main_tags import MainTags
from orthanc_fast.errors import OrthancError, UnknownResource
from orthanc_fast.model import Caller, Level
from orthanc_fast.registries import DICOM_ATTACHMENT
from orthanc_fast.services.administration import reconstruct
from orthanc_fast.services.administration.reconstruct import Options, Reconstruction
from orthanc_fast.services.attachments.reading import Contents

HISTORY = 0x001021B0
EXTRA = {level: ["AdditionalPatientHistory"] for level in ("Study", "Series", "Instance")}
INEXISTENT_FILE = 2006


def reconstruction(
    store: SmallStore,
    extra: dict[str, list[str]] | None = None,
    settings: Settings | None = None,
) -> Reconstruction:
    """With more main tags than the store had so far, or with other settings."""
    contents = Contents(store.storage)
    return Reconstruction(
        store.reads,
        store.writes,
        contents,
        renewal(store, settings or store.settings),
        MainTags(store.dictionary, extra or {}),
        store.dictionary,
        lambda: "Latin1",
    )


def file(number: int, series: int = 1) -> bytes:
    dataset = generated.base()
    dataset.AdditionalPatientHistory = f"of {series}/{number}"
    return generated.encode(dataset).number(1, 1, series, number)


def put(store: SmallStore) -> list[tuple[str, tuple[bytes, ...]]]:
    """Five instances of two series; their histories and identifiers, by those of the instances."""
    numbers = [(series, number) for series in (1, 2) for number in range(2 + series % 2)]
    stored = [(f"of {series}/{n}", store.put(file(n, series))) for series, n in numbers]
    return sorted(stored, key=lambda each: each[1][Level.INSTANCE])


def history(store: SmallStore, level: Level, public: bytes) -> str | None:
    found = store.resource(level, public)
    assert found is not None
    return found.tags.get(HISTORY)


def lose_file(store: SmallStore, instance: bytes) -> None:
    found = store.resource(Level.INSTANCE, instance)
    assert found is not None
    store.storage.delete([found.attachments[DICOM_ATTACHMENT].uuid])


def test_new_main_tags_are_read_from_the_files(
    small_store: SmallStore, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last instance, in the order of the identifiers, has the last word about what stands
    above; over several transactions, too."""
    monkeypatch.setattr(reconstruct, "AT_ONCE", 2)
    stored = put(small_store)
    _, study, *_ = stored[0][1]
    assert history(small_store, Level.STUDY, study) is None
    work = reconstruction(small_store, EXTRA)
    small_store.run(work.run(caller, Level.STUDY, study, Options()))
    for text, publics in stored:
        assert history(small_store, Level.INSTANCE, publics[Level.INSTANCE]) == text
        of_series = [other for other, each in stored if each[2] == publics[2]]
        assert history(small_store, Level.SERIES, publics[2]) == of_series[-1]
    assert history(small_store, Level.STUDY, study) == stored[-1][0]


def test_of_one_level_only(small_store: SmallStore, caller: Caller) -> None:
    """One instance is read, the one that was stored first, and its parents stay as they are."""
    stored = put(small_store)
    _, study, series, _ = stored[0][1]
    work, only = reconstruction(small_store, EXTRA), Options(this_level=True, files=True)
    small_store.run(work.run(caller, Level.SERIES, series, only))
    assert history(small_store, Level.STUDY, study) is None
    assert history(small_store, Level.SERIES, series) in [
        text for text, publics in stored if publics[2] == series
    ]
    for _, publics in stored:
        assert history(small_store, Level.INSTANCE, publics[3]) is None
    text, publics = stored[-1]
    small_store.run(work.run(caller, Level.INSTANCE, publics[3], only))
    assert history(small_store, Level.INSTANCE, publics[3]) == text
    assert history(small_store, Level.STUDY, study) is None


def test_a_lost_file_keeps_no_other_from_being_read(
    small_store: SmallStore, caller: Caller
) -> None:
    stored = put(small_store)
    lost = stored[1][1][Level.INSTANCE]
    lose_file(small_store, lost)
    work = reconstruction(small_store, EXTRA)
    for options in (Options(), Options(files=True)):
        with pytest.raises(OrthancError) as error:
            small_store.run(work.run_all(caller, options))
        assert error.value.code == INEXISTENT_FILE
        for text, publics in stored:
            expected = None if publics[3] == lost else text
            assert history(small_store, Level.INSTANCE, publics[3]) == expected


def test_files_are_stored_anew(small_store: SmallStore, caller: Caller) -> None:
    """As the options are now: here compressed, with the same content."""
    *_, instance = small_store.add(1, 1, 1, 1)
    before = small_store.resource(Level.INSTANCE, instance)
    assert before is not None
    settings = msgspec.structs.replace(small_store.settings, storage_compression=True)
    work = reconstruction(small_store, settings=settings)
    small_store.run(work.run(caller, Level.INSTANCE, instance, Options()))
    untouched = small_store.resource(Level.INSTANCE, instance)
    assert untouched is not None and untouched.attachments == before.attachments
    small_store.run(work.run(caller, Level.INSTANCE, instance, Options(files=True)))
    after = small_store.resource(Level.INSTANCE, instance)
    assert after is not None
    old, new = (each.attachments[DICOM_ATTACHMENT] for each in (before, after))
    assert (old.compressed, new.compressed) == (False, True)
    assert (old.digest, old.size) == (new.digest, new.size)
    content = Contents(small_store.storage).content_now(new)
    assert content == generated.small().number(1, 1, 1, 1)
    assert not small_store.storage.exists(old.uuid)


def test_what_is_not_there(small_store: SmallStore, caller: Caller) -> None:
    work = reconstruction(small_store, EXTRA)
    small_store.run(work.run_all(caller, Options(files=True)))
    _, study, *_ = small_store.add(1, 1, 1, 1)
    with pytest.raises(UnknownResource):
        small_store.run(work.run(caller, Level.SERIES, study, Options()))
