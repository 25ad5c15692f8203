"""Modified and anonymized copies of single instances, which are answered and not stored; and what
jobs share with them.

Source: reference chapter 3, sections 3.2.6 and 3.3.2.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from orthanc_fast.config import Settings
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.edits import Tables
from orthanc_fast.dicom.part10 import Buffer
from orthanc_fast.implementation import ORTHANC_VERSION
from orthanc_fast.index.contract import Transaction, Write
from orthanc_fast.model import Attachment, Caller, Level
from orthanc_fast.services.attachments.reading import dicom_attachment, opened
from orthanc_fast.services.modification.apply import Modifier
from orthanc_fast.services.modification.identifiers import (
    Identifiers,
    new_secret,
    secret_of,
)
from orthanc_fast.services.modification.identifying import Collector
from orthanc_fast.services.modification.options import Option, column
from orthanc_fast.services.modification.plan import Plan, Planner, names_patient
from orthanc_fast.services.modification.request import (
    Asked,
    read_anonymization,
    read_modification,
)
from orthanc_fast.services.modification.studies import Studies
from orthanc_fast.services.store.lookup import found_or_raise
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.writes import Writes
from orthanc_fast.services.transcoding.transcode import check_syntax, quality_field, transcode
from orthanc_fast.storage.contract import Storage

# Of devices and institutions that are kept nothing is taken out of texts.
_IDENTITIES = {Option.RetainDeviceIdentity, Option.RetainInstitutionIdentity}
COUNTER = "anonymizations"


class Modification:
    """The modification of one process."""

    def __init__(
        self,
        settings: Settings,
        reads: Reads,
        writes: Writes,
        storage: Storage,
        dictionary: Dictionary,
        default_character_set: Callable[[], str],
    ) -> None:
        self._settings = settings
        self._read = reads
        self._write = writes
        self._storage = storage
        self._dictionary = dictionary
        self.default_character_set = default_character_set
        self._tables = Tables(dictionary)
        self._collectors: dict[frozenset[int], Collector] = {}
        self._planner = Planner(self._tables, ORTHANC_VERSION)

    # Requests

    def asked(self, body: Mapping[str, Any], is_anonymization: bool) -> Asked:
        """What a body asks for. Raises BadRequest, BadFileFormat, ParameterOutOfRange,
        UnknownDicomTag."""
        read = read_anonymization if is_anonymization else read_modification
        return read(body, self._dictionary, self._settings.default_private_creator)

    def secret(self, asked: Asked) -> bytes:
        """From which new identifiers follow: that of a key, or one that nobody has."""
        key = self._key(asked)
        return secret_of(key) if key else new_secret()

    def has_key(self, asked: Asked) -> bool:
        """Whether new identifiers are the same for each request with this key."""
        return bool(self._key(asked))

    def _key(self, asked: Asked) -> str:
        if asked.profile is None:
            return ""
        return asked.pseudonym_key or self._settings.pseudonym_key

    async def patient_name(self, caller: Caller, asked: Asked) -> str | None:
        """The name that an anonymization gives: numbered, each number once. Empty where the server
        is not to give one, None where each patient has a pseudonym."""
        if self.has_key(asked):
            return None
        if asked.profile is None or not names_patient(asked):
            return ""
        number = await self._write(caller, _NextNumber())
        return f"Anonymized{number}"

    def plan(self, asked: Asked, level: Level | None = None, patient_name: str | None = "") -> Plan:
        return self._planner.plan(asked, level, patient_name)

    def modifier(self, plan: Plan, identifiers: Identifiers) -> Modifier:
        retained = frozenset(
            tag for option in plan.asked.options.chosen & _IDENTITIES for tag in column(option).kept
        )
        if retained not in self._collectors:
            self._collectors[retained] = Collector(self._tables, self._dictionary, retained)
        studies = Studies(self._collectors[retained], self.default_character_set)
        return Modifier(plan, identifiers, self._dictionary, self.default_character_set, studies)

    # Single instances

    async def instance(
        self, caller: Caller, public: bytes, body: Mapping[str, Any], is_anonymization: bool
    ) -> list[Buffer]:
        """The new file of an instance, in parts. Raises UnknownResource, what `asked` raises, what
        values and transcoding raise."""
        instance = found_or_raise(
            await self._read.run(
                self._read, caller, lambda view: view.resource(Level.INSTANCE, public)
            )
        )
        attachment = dicom_attachment(instance)
        asked = self.asked(body, is_anonymization)
        quality = self._quality(body)
        if asked.transcode is not None:
            check_syntax(asked.transcode)
        patient_name = await self.patient_name(caller, asked)
        return await asyncio.to_thread(self._instance, attachment, asked, patient_name, quality)

    def _instance(
        self, attachment: Attachment, asked: Asked, patient_name: str | None, quality: int
    ) -> list[Buffer]:
        plan = self.plan(asked, patient_name=patient_name)
        modifier = self.modifier(plan, Identifiers(self.secret(asked)))
        modified = modifier.modified(opened(self._storage, attachment))
        uid = plan.asked.transcode
        if uid is None:
            return modified.parts
        return [transcode(modified.data, uid, quality, self._dictionary).data]

    def _quality(self, body: Mapping[str, Any]) -> int:
        """Of lossy transcoding; read only where there is some."""
        quality = self._settings.dicom_lossy_transcoding_quality
        if "Transcode" in body:
            quality = quality_field(body, quality)
        return min(max(quality, 1), 100)


class _NextNumber(Write[int]):
    """Counts anonymizations for as long as the index lives."""

    @property
    def is_quick(self) -> bool:
        return True

    def apply(self, transaction: Transaction) -> int:
        number = int(transaction.property(COUNTER) or b"0") + 1
        transaction.set_property(COUNTER, b"%d" % number)
        return number
