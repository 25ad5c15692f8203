"""The metadata of series as the modes MainDicomTags and Extrapolate have them: what the index
knows, and what the instances of a series have in common. Source: reference chapter 5, section 4.2.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from orthanc_fast.dicom.attributes import Attribute, BulkData, Dataset, read_attributes
from orthanc_fast.dicom.data_set_models import data_set_json
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.main_tag_attributes import main_sequence_attributes, main_tag_attributes
from orthanc_fast.dicom.text import term_of
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Caller, Resource
from orthanc_fast.registries import MAIN_DICOM_SEQUENCES
from orthanc_fast.services.attachments.reading import dicom_attachment, opened
from orthanc_fast.services.dicom_web.targets import Targets
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.storage.contract import Storage

_EXAMPLES: Final = 3  # instances that speak for their series
_TOGETHER: Final = 64  # instances that are sent at a time
_CHARACTER_SET: Final = 0x00080005


class IndexAttributes:
    """Makes data sets of what the index knows. All of it is for threads."""

    def __init__(
        self,
        reads: Reads,
        storage: Storage,
        targets: Targets,
        dictionary: Dictionary,
        default_character_set: Callable[[], str],
    ) -> None:
        self._read = reads
        self._storage = storage
        self._targets = targets
        self._dictionary = dictionary
        self._default_character_set = default_character_set

    def data_sets(
        self, caller: Caller, series: Resource, extrapolated: Sequence[int]
    ) -> Iterator[list[Dataset]]:
        """Those of the instances of a series, some at a time."""

        def read(view: Snapshot) -> list[Resource]:
            return view.ancestors(series)

        shared = self._shared([series, *self._read(caller, read)])
        for attribute in self._common(caller, series, extrapolated):
            shared.setdefault(attribute.tag, attribute)
        for part in self._targets.instances(caller, series, _TOGETHER):
            yield [self._data_set(shared, instance) for instance in part]

    def _shared(self, chain: Sequence[Resource]) -> dict[int, Attribute]:
        found: dict[int, Attribute] = {}
        for resource in reversed(chain):
            found.update((each.tag, each) for each in self._own(resource))
        term = term_of(self._default_character_set())
        if term is not None:
            name = "SpecificCharacterSet"
            found[_CHARACTER_SET] = Attribute(_CHARACTER_SET, "CS", name, [term])
        return found

    def _own(self, resource: Resource) -> list[Attribute]:
        found = main_tag_attributes(resource.tags, self._dictionary)
        sequences = resource.metadata.get(MAIN_DICOM_SEQUENCES)
        if sequences is not None:
            kept = msgspec.json.decode(sequences)["Sequences"]
            found += main_sequence_attributes(kept, self._dictionary)
        return found

    def _data_set(self, shared: dict[int, Attribute], instance: Resource) -> Dataset:
        own = {each.tag: each for each in self._own(instance)}
        return [each for _, each in sorted({**shared, **own}.items())]

    def _common(self, caller: Caller, series: Resource, tags: Sequence[int]) -> Iterator[Attribute]:
        """What most of the instances with the lowest identifiers say of each tag."""
        if not tags:
            return

        def read(view: Snapshot) -> bytes:
            return b"".join(sorted(view.children(series))[:_EXAMPLES])

        examples = self._targets.resources(caller, self._read(caller, read))
        found = [self._attributes_of(each) for each in examples]
        for tag in tags:
            said = [each[tag] for each in found if tag in each]
            if not said:
                continue
            votes = Counter(data_set_json([each]) for each in said)
            winner, count = votes.most_common(1)[0]
            if 2 * count <= len(found) and len(found) > 1:
                logger.warning(
                    Category.GENERIC,
                    f"The instances of a series do not agree on {self._dictionary.name(tag)}, which"
                    " is taken from one of them",
                )
            yield next(each for each in said if data_set_json([each]) == winner)

    def _attributes_of(self, instance: Resource) -> dict[int, Attribute]:
        data = opened(self._storage, dicom_attachment(instance))
        bulk = BulkData("BulkDataURI", "")
        found = read_attributes(data, self._dictionary, self._default_character_set(), bulk)
        return {each.tag: each for each in found if each.uri is None}
