"""Scripts that decide what is sent by C-STORE. Source: reference chapter 4, sections 4.2, 5.5 and
9.2."""

from collections.abc import Callable

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.tag_json import tags_json
from orthanc_fast.errors import OrthancError
from orthanc_fast.log import Category, logger
from orthanc_fast.services.attachments.reading import Contents
from orthanc_fast.services.exchange.instances import Outgoing
from orthanc_fast.services.scripts.calls import Calls
from orthanc_fast.services.scripts.questions import Callback, Leaving
from orthanc_fast.storage.contract import Storage
from orthanc_fast.upper_layer.requestor import Target


class OutgoingScripts:
    """The scripts that see what one process sends."""

    def __init__(
        self,
        calls: Calls,
        storage: Storage,
        dictionary: Dictionary,
        default_character_set: Callable[[], str],
    ) -> None:
        self._calls = calls
        self._contents = Contents(storage)
        self._dictionary = dictionary
        self._default_character_set = default_character_set

    def sends(self, instance: Outgoing, target: Target) -> bool:
        """False where a script refuses the instance. Raises ScriptFault and NoAnswer."""
        callback = Callback.OUTGOING_FILTER
        languages = self._calls.who(callback)
        if not languages or instance.file is None:
            return True
        data = self._contents.content_now(instance.file)
        tags = tags_json(data, "simplify", self._dictionary, self._default_character_set())
        question = Leaving(tags, target.called, target.host)
        for language in languages:
            try:
                if not self._calls.ask(language, callback, question, bool):
                    return False
            except OrthancError as error:
                if not self._calls.accepts(error):
                    raise
                logger.error(Category.DICOM, f"{callback.value} ({language}): {error}")
        return True
