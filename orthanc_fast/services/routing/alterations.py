"""What a rule makes of an instance before it is sent: nothing of it is stored here.

New identifiers follow from the old ones and a secret of the rule, which the index keeps: an
instance that is sent again, after whatever has happened meanwhile, is the same one.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from orthanc_fast.config import Settings
from orthanc_fast.config_routing import Rule
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.part10 import Buffer
from orthanc_fast.errors import BadFileFormat, BadRequest, NotImplementedYet, OrthancError
from orthanc_fast.index.contract import Transaction
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Attachment, Level
from orthanc_fast.services.attachments.reading import opened
from orthanc_fast.services.modification.apply import Modifier
from orthanc_fast.services.modification.identifiers import Identifiers, new_secret
from orthanc_fast.services.modification.modification import Modification
from orthanc_fast.services.modification.request import Asked
from orthanc_fast.services.routing.conditions import EVENTS
from orthanc_fast.services.routing.records import secret_name
from orthanc_fast.storage.contract import Storage
from orthanc_fast.transfer_syntaxes import SYNTAXES

_OF_JOBS: Final = frozenset({"KeepSource", "Asynchronous", "Synchronous", "Priority", "Resources"})

Secret = Callable[[], bytes]


class Alterations:
    """What those of one process have in common."""

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        dictionary: Dictionary,
        modification: Modification,
    ) -> None:
        self.quality = settings.dicom_lossy_transcoding_quality
        self.storage = storage
        self.dictionary = dictionary
        self.modification = modification

    def of(self, name: str, rule: Rule) -> "Alteration":
        """That of a rule. Raises OrthancError for what cannot be asked for."""
        return Alteration(self, name, rule)


class Alteration:
    """That of one rule."""

    def __init__(self, common: Alterations, name: str, rule: Rule) -> None:
        self._common = common
        self.name = name
        self._asked = _asked(rule, common.modification)
        self._syntax = rule.transcode or (self._asked.transcode if self._asked else None) or None
        if self._syntax is not None and self._syntax not in SYNTAXES:
            raise BadRequest(f"Transcode: unknown transfer syntax {self._syntax!r}")
        level = EVENTS[rule.event][1]
        self._plan = None
        if self._asked is not None:
            is_whole = rule.modify is not None and level < Level.INSTANCE
            self._plan = common.modification.plan(
                self._asked, level if is_whole else None, patient_name=None
            )

    @property
    def is_none(self) -> bool:
        """Whether instances go as they are stored."""
        return self._asked is None and self._syntax is None

    @property
    def looks_ahead(self) -> bool:
        """Whether what identifies in one file is taken out of the texts of others, so that `begin`
        needs all files of the event."""
        return self._plan is not None and self._plan.cleans

    def secret(self, transaction: Transaction) -> bytes:
        """Made when it is needed for the first time."""
        name = secret_name(self.name)
        found = transaction.property(name)
        if found is None:
            found = new_secret()
            transaction.set_property(name, found)
        return found

    def begin(self, secret: Secret, files: Iterable[Attachment] = ()) -> "Altering":
        """For the instances of one entry, and for one thread. `secret` is asked for where new
        identifiers are made. Raises as reading the files does."""
        modifier = None
        if self._asked is not None and self._plan is not None:
            service = self._common.modification
            key = service.secret(self._asked) if service.has_key(self._asked) else secret()
            modifier = service.modifier(self._plan, Identifiers(key))
            for file in files if self.looks_ahead else ():
                modifier.look_at(opened(self._common.storage, file))
        return Altering(self._common, modifier, self._syntax)


class Altering:
    """Files of one entry."""

    def __init__(self, common: Alterations, modifier: Modifier | None, syntax: str | None) -> None:
        self._common = common
        self._modifier = modifier
        self._syntax = syntax

    def apply(self, file: Attachment) -> Buffer:
        """The file as it is sent. Raises OrthancError where it cannot be made."""
        data: Buffer = opened(self._common.storage, file)
        if self._modifier is not None:
            data = self._modifier.modified(data).data
        return data if self._syntax is None else self._transcoded(data, self._syntax)

    def _transcoded(self, data: Buffer, syntax: str) -> Buffer:
        # The imaging room is large: only whoever transcodes loads it.
        from orthanc_fast.services.transcoding.transcode import transcode

        common, keeps = self._common, self._modifier is not None
        quality, dictionary = common.quality, common.dictionary
        try:
            return transcode(data, syntax, quality, dictionary, keeps_identity=keeps).data
        except NotImplementedYet as error:  # as other sends do
            logger.info(Category.DICOM, f"An instance is sent without transcoding: {error}")
            return data


def _asked(rule: Rule, modification: Modification) -> Asked | None:
    body: dict[str, Any] | None = rule.anonymize if rule.modify is None else rule.modify
    if body is None:
        return None
    what = "Anonymize" if rule.modify is None else "Modify"
    meaningless = sorted(_OF_JOBS & set(body))
    if meaningless:
        raise BadRequest(f"{what}: {meaningless[0]} means nothing here: nothing is stored")
    if rule.transcode and "Transcode" in body:
        raise BadRequest(f"give Transcode once, not in {what} too")
    try:
        asked = modification.asked(body, rule.modify is None)
        if asked.removes_a_key:
            raise BadFileFormat("what identifies an instance cannot be removed")
    except OrthancError as error:
        raise BadRequest(f"{what}: {error.details or error.text}") from error
    return asked
