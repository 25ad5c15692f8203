"""Modifications and anonymizations that are explained and not carried out.

An extension of ours: see docs/deviations.md.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.part10 import Buffer
from orthanc_fast.errors import UnknownResource
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.index.packed import unpack
from orthanc_fast.model import SHA1, Caller, Level, Resource
from orthanc_fast.services.attachments.reading import dicom_attachment, opened
from orthanc_fast.services.modification.explain import Explanation, Row
from orthanc_fast.services.modification.identifiers import Identifiers
from orthanc_fast.services.modification.modification import Modification
from orthanc_fast.services.modification.not_judged import told
from orthanc_fast.services.modification.orders import Options, Orders, Target
from orthanc_fast.services.modification.request import Asked
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.storage.contract import Storage

# The new name has a number that is drawn when the request is carried out.
_NAME: Final = "Anonymized"
_RECORDS_AT_ONCE: Final = 128


class Explained(msgspec.Struct, kw_only=True):
    """The answer of a dry run."""

    DryRun: bool = True
    IsAnonymization: bool
    InstancesCount: int
    Changes: list[Row]
    NotJudged: list[dict[str, str | int]]


class DryRuns:
    """The dry runs of one process."""

    def __init__(
        self,
        reads: Reads,
        storage: Storage,
        dictionary: Dictionary,
        modification: Modification,
        orders: Orders,
    ) -> None:
        self._read = reads
        self._storage = storage
        self._dictionary = dictionary
        self._modification = modification
        self._orders = orders

    async def explained(
        self,
        caller: Caller,
        target: Target,
        body: Mapping[str, Any],
        is_anonymization: bool,
        options: Options,
    ) -> Explained:
        """What would be done with each element of all instances. Raises what the request itself
        would raise, and UnknownResource for an instance that is deleted meanwhile."""
        asked, _, instances = await self._orders.checked(
            caller, target, body, is_anonymization, options
        )
        is_single = target.level == Level.INSTANCE
        level = None if is_single else target.level
        explanation = Explanation(
            self._dictionary,
            exact=is_single,
            identifiers_last=self._modification.has_key(asked),
        )
        await asyncio.to_thread(self._explain, caller, asked, level, instances, explanation)
        return Explained(
            IsAnonymization=is_anonymization,
            InstancesCount=explanation.instances,
            Changes=explanation.rows(),
            NotJudged=told(explanation.not_judged),
        )

    def _explain(
        self,
        caller: Caller,
        asked: Asked,
        level: Level | None,
        instances: bytes,
        explanation: Explanation,
    ) -> None:
        plan = self._modification.plan(asked, level, _NAME)
        secret = self._modification.secret(asked)
        modifier = self._modification.modifier(plan, Identifiers(secret))
        if plan.cleans:
            for file in self._files(caller, instances):
                modifier.look_at(file)
        for file in self._files(caller, instances):
            explanation.add(modifier.changes(file))

    def _files(self, caller: Caller, instances: bytes) -> Iterator[Buffer]:
        step = _RECORDS_AT_ONCE * SHA1
        for start in range(0, len(instances), step):
            for instance in self._records(caller, list(unpack(instances[start : start + step]))):
                if instance is None:
                    raise UnknownResource
                yield opened(self._storage, dicom_attachment(instance))

    def _records(self, caller: Caller, publics: Sequence[bytes]) -> list[Resource | None]:
        def read(view: Snapshot) -> list[Resource | None]:
            return view.resources(Level.INSTANCE, publics)

        return self._read(caller, read)
