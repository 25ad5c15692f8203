"""Names and numbers of metadata. Source: reference chapter 1, section 6.1."""

from collections.abc import Mapping

from orthanc_fast.registries import METADATA, registered_number


class MetadataNames:
    """What this server calls its metadata: Orthanc's names and those of the option UserMetadata."""

    def __init__(self, user: Mapping[str, int]) -> None:
        self._names = {**METADATA, **{number: name for name, number in user.items()}}
        self._numbers = {name: number for number, name in self._names.items()}

    def name(self, number: int) -> str:
        """The number as text where there is no name."""
        return self._names.get(number) or str(number)

    def number(self, text: str) -> int:
        """The number of a name, or of a number as text. Raises InexistentItem, or BadParameterType
        for a number that is written oddly or too large."""
        found = self._numbers.get(text)
        return registered_number(text, "metadata") if found is None else found
