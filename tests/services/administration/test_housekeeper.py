"""What was stored under other settings is brought to those in force."""

import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support import generated
from support.renewed import renewal
from support.small_store import USER, SmallStore

from orthanc_fast.config_plugins import housekeeper
from orthanc_fast.dicom.main_tags import MainTags
from orthanc_fast.model import Level
from orthanc_fast.registries import DICOM_ATTACHMENT, TRANSFER_SYNTAX
from orthanc_fast.services.administration.housekeeper import (
    Housekeeper,
    Status,
    configuration_of,
)
from orthanc_fast.services.administration.reconstruct import Reconstruction
from orthanc_fast.services.attachments.reading import Contents
from orthanc_fast.transfer_syntaxes import EXPLICIT_LITTLE, RLE

HISTORY = 0x001021B0
EXTRA = {level: ["AdditionalPatientHistory"] for level in ("Study", "Series", "Instance")}
STUDIES = 5
MONDAY_NOON = time.strptime("2026-01-05 12", "%Y-%m-%d %H")


class House:
    """The housekeeper of a start of a server with these options."""

    def __init__(
        self,
        store: SmallStore,
        folder: Path,
        section: dict[str, Any],
        extra: dict[str, list[str]] | None = None,
        compression: bool = False,
        transcoding: str = "",
    ) -> None:
        self.store = store
        self.clock = MONDAY_NOON
        settings = msgspec.structs.replace(
            store.settings, storage_compression=compression, ingest_transcoding=transcoding
        )
        contents = Contents(store.storage)
        main_tags = MainTags(store.dictionary, extra or {})
        reconstruction = Reconstruction(
            store.reads,
            store.writes,
            contents,
            renewal(store, settings),
            main_tags,
            store.dictionary,
            lambda: "Latin1",
        )
        options = housekeeper({"Enable": True, "ThrottleDelay": 0, **section})
        assert options is not None
        self.keeper = Housekeeper(
            options,
            configuration_of(settings, main_tags, "1.13.0"),
            store.reads,
            store.writes,
            reconstruction,
            folder,
            lambda: self.clock,
        )

    @property
    def status(self) -> Status:
        return self.keeper.status()

    def run(self, until: Any = None) -> None:
        """Until `until` says so, else until nothing is being done."""

        async def work() -> None:
            task = asyncio.create_task(self.keeper.run())
            try:
                async with asyncio.timeout(60):
                    while not await asyncio.to_thread(until or self.is_done):
                        await asyncio.sleep(0.01)
                        if task.done():
                            task.result()
            finally:
                task.cancel()
                await asyncio.wait([task])

        self.store.run(work())

    def is_done(self) -> bool:
        found = self.status
        return (
            found.last_processed_configuration is not None
            and found.currently_processing_configuration is None
        )


def fill(store: SmallStore) -> list[tuple[bytes, ...]]:
    found = []
    for number in range(STUDIES):
        dataset = generated.base()
        dataset.AdditionalPatientHistory = f"history {number}"
        found.append(store.put(generated.encode(dataset).number(number, 1, 1, 1)))
    return found


def histories(store: SmallStore, stored: list[tuple[bytes, ...]], level: Level) -> list[bool]:
    resources = [store.resource(level, publics[level]) for publics in stored]
    return [each is not None and HISTORY in each.tags for each in resources]


def is_compressed(store: SmallStore, publics: tuple[bytes, ...]) -> bool:
    found = store.resource(Level.INSTANCE, publics[Level.INSTANCE])
    assert found is not None
    return found.attachments[DICOM_ATTACHMENT].compressed


def test_new_main_tags_are_read_once(small_store: SmallStore, tmp_path: Path) -> None:
    stored = fill(small_store)
    first = House(small_store, tmp_path, {})
    first.run()
    kept = first.status
    assert (kept.last_processed_change, kept.last_change_to_process) == (-1, -1)
    assert histories(small_store, stored, Level.STUDY) == [False] * STUDIES
    second = House(small_store, tmp_path, {}, EXTRA)
    second.run(lambda: all(histories(small_store, stored, Level.INSTANCE)) and second.is_done())
    assert histories(small_store, stored, Level.STUDY) == [True] * STUDIES
    started = second.status.last_time_started
    assert started > kept.last_time_started
    third = House(small_store, tmp_path, {}, EXTRA)
    third.run()
    assert third.status.last_time_started == started
    forced = House(small_store, tmp_path, {"Force": True}, EXTRA)
    forced.run(lambda: forced.status.last_time_started != started and forced.is_done())


def test_only_one_level(small_store: SmallStore, tmp_path: Path) -> None:
    stored = fill(small_store)
    House(small_store, tmp_path, {}).run()
    section = {"LimitMainDicomTagsReconstructLevel": "Series"}
    House(small_store, tmp_path, section, EXTRA).run(
        lambda: all(histories(small_store, stored, Level.SERIES))
    )
    assert histories(small_store, stored, Level.STUDY) == [False] * STUDIES
    assert histories(small_store, stored, Level.INSTANCE) == [False] * STUDIES


@pytest.mark.parametrize("trigger", [True, False])
def test_compression(small_store: SmallStore, tmp_path: Path, trigger: bool) -> None:
    stored = fill(small_store)
    House(small_store, tmp_path, {}).run()
    section = {"Triggers": {"StorageCompressionChange": trigger}}
    house = House(small_store, tmp_path, section, compression=True)
    house.run(lambda: house.is_done() and is_compressed(small_store, stored[-1]) == trigger)
    assert [is_compressed(small_store, each) for each in stored] == [trigger] * STUDIES


def syntaxes(store: SmallStore, stored: list[tuple[bytes, ...]]) -> list[str]:
    found = [store.resource(Level.INSTANCE, each[Level.INSTANCE]) for each in stored]
    return [each.metadata[TRANSFER_SYNTAX] for each in found if each is not None]


def slices(store: SmallStore) -> list[tuple[bytes, ...]]:
    dataset = generated.base()
    generated.add_pixels(dataset, generated.anatomy(16))
    template = generated.encode(dataset)
    return [store.put(template.number(number, 1, 1, 1)) for number in range(STUDIES)]


@pytest.mark.parametrize("trigger", [True, False])
def test_transcoding(small_store: SmallStore, tmp_path: Path, trigger: bool) -> None:
    """Files that are in the transfer syntax already are not touched."""
    stored = slices(small_store)
    House(small_store, tmp_path, {}).run()
    assert syntaxes(small_store, stored) == [EXPLICIT_LITTLE] * STUDIES
    section = {"Triggers": {"IngestTranscodingChange": trigger}}
    first = House(small_store, tmp_path, section, transcoding=RLE)
    first.run(lambda: first.is_done() and (not trigger or is_all(first, RLE)))
    expected = RLE if trigger else EXPLICIT_LITTLE
    assert syntaxes(small_store, stored) == [expected] * STUDIES
    files = [uuid(small_store, each) for each in stored]
    again = House(small_store, tmp_path, {"Force": True}, compression=True, transcoding="")
    again.run(lambda: again.is_done() and is_compressed(small_store, stored[-1]))
    assert syntaxes(small_store, stored) == [expected] * STUDIES
    assert not set(files) & {uuid(small_store, each) for each in stored}


def test_transcoding_goes_on_where_it_was(small_store: SmallStore, tmp_path: Path) -> None:
    """Of a study that was not completed only what is left is done."""
    stored = slices(small_store)
    House(small_store, tmp_path, {}).run()
    stopped = House(small_store, tmp_path, {"ThrottleDelay": 3600}, transcoding=RLE)
    stopped.run(lambda: RLE in syntaxes(small_store, stored))
    assert syntaxes(small_store, stored) == [RLE] + [EXPLICIT_LITTLE] * (STUDIES - 1)
    done = uuid(small_store, stored[0])
    again = House(small_store, tmp_path, {}, transcoding=RLE)
    again.run(lambda: again.is_done() and is_all(again, RLE))
    assert syntaxes(small_store, stored) == [RLE] * STUDIES
    assert uuid(small_store, stored[0]) == done


def is_all(house: House, syntax: str) -> bool:
    last = house.status.last_processed_configuration
    return last is not None and last.ingest_transcoding == syntax


def uuid(store: SmallStore, publics: tuple[bytes, ...]) -> str:
    found = store.resource(Level.INSTANCE, publics[Level.INSTANCE])
    assert found is not None
    return found.attachments[DICOM_ATTACHMENT].uuid


def test_it_goes_on_where_it_was(small_store: SmallStore, tmp_path: Path) -> None:
    """What was done before the server stopped is not done again."""
    stored = fill(small_store)
    House(small_store, tmp_path, {}).run()
    stopped = House(small_store, tmp_path, {"ThrottleDelay": 3600}, EXTRA)
    stopped.run(lambda: any(histories(small_store, stored, Level.STUDY)))
    assert sum(histories(small_store, stored, Level.STUDY)) == 1
    # As it would have been kept a second later.
    status = stopped.status
    done = small_store.resource(Level.STUDY, stored[0][Level.STUDY])
    assert done is not None
    status.last_processed_change = done.id
    small_store.run(stopped.keeper._keep(status))
    for number in (0, 1):
        found = small_store.resource(Level.INSTANCE, stored[number][Level.INSTANCE])
        assert found is not None
        small_store.storage.delete([found.attachments[DICOM_ATTACHMENT].uuid])
    again = House(small_store, tmp_path, {}, EXTRA)
    again.run(lambda: again.is_done() and all(histories(small_store, stored[2:], Level.STUDY)))
    # The second one has lost its file, which keeps nobody else from being done.
    assert histories(small_store, stored, Level.STUDY) == [True, False, True, True, True]


def test_the_schedule(small_store: SmallStore, tmp_path: Path) -> None:
    stored = fill(small_store)
    House(small_store, tmp_path, {}).run()
    section = {"Schedule": {"Monday": ["0-6", "13-14"]}}
    house = House(small_store, tmp_path, section, EXTRA)
    house.run(lambda: house.status.currently_processing_configuration is not None)
    assert histories(small_store, stored, Level.STUDY) == [False] * STUDIES
    house.clock = time.strptime("2026-01-05 13", "%Y-%m-%d %H")
    house.run(lambda: house.is_done() and all(histories(small_store, stored, Level.STUDY)))


def test_one_process_does_it(small_store: SmallStore, tmp_path: Path) -> None:
    fill(small_store)
    houses = [House(small_store, tmp_path, {"ThrottleDelay": 3600}) for _ in range(2)]

    async def work() -> None:
        tasks = [asyncio.create_task(house.keeper.run()) for house in houses]
        async with asyncio.timeout(60):
            while (await asyncio.to_thread(houses[0].keeper.status)).last_time_started == "":
                await asyncio.sleep(0.01)
        started = (await asyncio.to_thread(houses[0].keeper.status)).last_time_started
        await asyncio.sleep(0.3)
        assert (await asyncio.to_thread(houses[1].keeper.status)).last_time_started == started
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    small_store.run(work())


def test_a_foreign_property(small_store: SmallStore, tmp_path: Path) -> None:
    from orthanc_fast.services.key_values.global_properties import GlobalProperties

    fill(small_store)
    properties = GlobalProperties(small_store.reads, small_store.writes)
    small_store.run(properties.put(USER, 2000, "not JSON"))
    house = House(small_store, tmp_path, {"GlobalPropertyId": 2000})
    house.run()
    text = properties.get(USER, 2000)
    assert text is not None
    assert msgspec.json.decode(text).keys() >= {"Version", "LastProcessedConfiguration"}


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ({"Schedule": {"Monda": ["0-6"]}}, "no day"),
        ({"Schedule": {"Monday": ["6"]}}, "hours are like"),
        ({"Schedule": {"Monday": ["6-2"]}}, "hours are like"),
        ({"Schedule": {"Monday": ["0-25"]}}, "hours are like"),
        ({"Schedule": {"Monday": "0-6"}}, "array"),
        ({"Schedule": {"Monday": []}}, "no hour"),
        ({"LimitMainDicomTagsReconstructLevel": "Frame"}, "Frame"),
        ({"ThrottleDelay": -1}, "ThrottleDelay"),
        ({"Force": 1}, "bool"),
    ],
)
def test_bad_options(section: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        housekeeper({"Enable": True, **section})


def test_it_is_off_by_default() -> None:
    assert housekeeper({}) is None
    assert housekeeper({"Enable": False}) is None
