"""Names, numbers and MIME types of attachments. Source: reference chapter 1, section 6.2."""

from collections.abc import Mapping

from orthanc_fast.registries import (
    ATTACHMENT_TYPES,
    DEFAULT_MIME_TYPE,
    AttachmentType,
    registered_number,
)


class AttachmentTypes:
    """The attachments that this server knows: Orthanc's and those of the option
    UserContentType."""

    def __init__(self, user: Mapping[str, tuple[int, str]]) -> None:
        self._types = {
            **ATTACHMENT_TYPES,
            **{number: AttachmentType(name, mime) for name, (number, mime) in user.items()},
        }
        self._numbers = {kind.name: number for number, kind in self._types.items()}

    def name(self, number: int) -> str:
        """The number as text where there is no name."""
        found = self._types.get(number)
        return str(number) if found is None else found.name

    def mime(self, number: int) -> str:
        found = self._types.get(number)
        return DEFAULT_MIME_TYPE if found is None else found.mime

    def number(self, text: str) -> int:
        """The number of a name, or of a number as text. Raises InexistentItem or
        BadParameterType."""
        found = self._numbers.get(text)
        return registered_number(text, "attachment") if found is None else found
