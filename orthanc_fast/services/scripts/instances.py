"""Scripts and the ingest: what asks them before a file is stored. Source: reference chapter 4,
sections 2.1 and 2.2; chapter 7, sections 2.2 and 6.3."""

from collections.abc import Callable
from typing import Final, TypeVar

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.tag_json import tags_json
from orthanc_fast.errors import OrthancError
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Caller
from orthanc_fast.services.ingest.hooks import Candidate, Decision
from orthanc_fast.services.scripts.calls import Calls
from orthanc_fast.services.scripts.options import Language
from orthanc_fast.services.scripts.questions import (
    Arriving,
    Callback,
    Received,
    Verdict,
    origin_of,
)
from orthanc_fast.storage.contract import Content
from orthanc_fast.upper_layer.statuses import SUCCESS, StatusError

T = TypeVar("T")

_ASKED: Final = (Callback.RECEIVED_INSTANCE, Callback.INSTANCE_FILTER, Callback.CSTORE_FILTER)
_LAST_STATUS: Final = 0xFFFF
_LANGUAGE_OF_TAGS: Final[Language] = "lua"


class InstanceScripts:
    """The scripts that see what arrives in one process: see `ingest.hooks.Scripts`."""

    def __init__(
        self, calls: Calls, dictionary: Dictionary, default_character_set: Callable[[], str]
    ) -> None:
        self._calls = calls
        self._dictionary = dictionary
        self._default_character_set = default_character_set

    @property
    def may_refuse(self) -> bool:
        """Whether a script is asked about what arrives now."""
        return any(self._calls.who(callback) for callback in _ASKED)

    async def receive(self, content: Content, caller: Caller, in_loop: bool) -> Decision | bytes:
        """What the scripts that see the bytes want to be stored. One that fails is passed over, as
        Orthanc does."""
        ask = self._calls.ask_async if in_loop else self._calls.ask_now
        found: bytes | None = None
        for language in self._calls.who(Callback.RECEIVED_INSTANCE):
            data = bytes(content) if found is None else found
            try:
                verdict = await ask(
                    language,
                    Callback.RECEIVED_INSTANCE,
                    Received(data, origin_of(caller)),
                    Verdict,
                )
            except OrthancError as error:
                _log(language, Callback.RECEIVED_INSTANCE, error)
                continue
            if verdict.action == "discard":
                return Decision.DISCARD
            if verdict.action == "modify" and verdict.content is not None:
                found = verdict.content
        return Decision.KEEP if found is None else found

    async def keeps(self, candidate: Candidate, in_loop: bool) -> bool:
        """False where a script refuses the instance.

        Raises StatusError with what a filter of C-STORE has answered, ScriptFault and NoAnswer,
        which refuse it with status 0xA700.
        """
        for language in self._calls.who(Callback.INSTANCE_FILTER):
            callback = Callback.INSTANCE_FILTER
            if not await self._ask(language, callback, candidate, bool, True, in_loop):
                return False
        if candidate.caller.origin != "DicomProtocol":
            return True
        for language in self._calls.who(Callback.CSTORE_FILTER):
            callback = Callback.CSTORE_FILTER
            status = await self._ask(language, callback, candidate, int, SUCCESS, in_loop)
            if not SUCCESS <= status <= _LAST_STATUS:
                raise StatusError(0xA700)
            if status != SUCCESS:
                raise StatusError(status)
        return True

    async def _ask(
        self,
        language: Language,
        callback: Callback,
        candidate: Candidate,
        kind: type[T],
        accepted: T,
        in_loop: bool,
    ) -> T:
        ask = self._calls.ask_async if in_loop else self._calls.ask_now
        try:
            return await ask(language, callback, self._arriving(language, candidate), kind)
        except OrthancError as error:
            _log(language, callback, error)
            if self._calls.accepts(error):
                return accepted
            raise

    def _arriving(self, language: Language, candidate: Candidate) -> Arriving:
        header = candidate.header
        is_lua = language == _LANGUAGE_OF_TAGS
        return Arriving(
            origin=origin_of(candidate.caller),
            has_pixel_data=header.pixel_data_offset is not None or header.pixels is not None,
            transfer_syntax=header.transfer_syntax,
            tags=self._tags(candidate.content) if is_lua else None,
            content=None if is_lua else bytes(candidate.content),
        )

    def _tags(self, content: Content) -> bytes:
        return tags_json(content, "simplify", self._dictionary, self._default_character_set())


def _log(language: Language, callback: Callback, error: OrthancError) -> None:
    category = Category.LUA if language == "lua" else Category.PLUGINS
    logger.error(category, f"{callback.value} ({language}): {error}")
