"""What callbacks of DICOM services get. Source: reference chapter 7, section 2.3."""

from typing import Any

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.scripting.python.arguments import takes
from orthanc_fast.scripting.python.exceptions import PARAMETER_OUT_OF_RANGE, failure
from orthanc_fast.scripting.python.find_matcher import FindMatcher, full_members
from orthanc_fast.services.scripts.questions import Origin


class _DuringCallback:
    """Valid during the callback only; later its methods raise ValueError."""

    def __init__(self) -> None:
        self._is_over = False

    def _forget(self) -> None:
        self._is_over = True

    def _require_valid(self) -> None:
        if self._is_over:
            raise ValueError("Invalid object: it was valid during the callback only")


class DicomConnection(_DuringCallback):
    """Who asks, over which association."""

    def __init__(self, origin: Origin) -> None:
        super().__init__()
        self._origin = origin

    @takes()
    def GetConnectionRemoteAet(self) -> str:
        self._require_valid()
        return self._origin.remote_aet or ""

    @takes()
    def GetConnectionRemoteIp(self) -> str:
        self._require_valid()
        return self._origin.remote_ip or ""

    @takes()
    def GetConnectionCalledAet(self) -> str:
        self._require_valid()
        return self._origin.called_aet or ""


class FindQuery(_DuringCallback):
    """The root elements of a C-FIND identifier that are no sequences, by tag."""

    def __init__(self, identifier: bytes, dictionary: Dictionary, encoding: str) -> None:
        super().__init__()
        members = full_members(identifier, dictionary, encoding)
        self._elements: list[tuple[int, dict[str, Any]]] = sorted(
            (int(text[:4] + text[5:], 16), member)
            for text, member in members.items()
            if member["Type"] != "Sequence"
        )

    def _element(self, index: int) -> tuple[int, dict[str, Any]]:
        self._require_valid()
        if not 0 <= index < len(self._elements):
            raise failure(PARAMETER_OUT_OF_RANGE)
        return self._elements[index]

    @takes()
    def GetFindQuerySize(self) -> int:
        self._require_valid()
        return len(self._elements)

    @takes("i")
    def GetFindQueryTagName(self, index: int) -> str:
        name: str = self._element(index)[1]["Name"]
        return name

    @takes("i")
    def GetFindQueryTagGroup(self, index: int) -> int:
        return self._element(index)[0] >> 16

    @takes("i")
    def GetFindQueryTagElement(self, index: int) -> int:
        return self._element(index)[0] & 0xFFFF

    @takes("i")
    def GetFindQueryValue(self, index: int) -> str:
        return self._element(index)[1]["Value"] or ""


class FindAnswers(_DuringCallback):
    """The answers to a C-FIND, as DICOM files."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[bytes] = []
        self.is_complete = True

    @takes("b")
    def FindAddAnswer(self, data: bytes) -> None:
        self._require_valid()
        self.files.append(data)

    @takes()
    def FindMarkIncomplete(self) -> None:
        self._require_valid()
        self.is_complete = False


class WorklistQuery(_DuringCallback):
    """The identifier of a worklist query."""

    def __init__(self, identifier: bytes, dictionary: Dictionary, encoding: str) -> None:
        super().__init__()
        self._identifier = identifier
        self._matcher = FindMatcher(identifier, dictionary, encoding)

    @takes()
    def WorklistGetDicomQuery(self) -> bytes:
        self._require_valid()
        return self._identifier

    @takes("b")
    def WorklistIsMatch(self, data: bytes) -> int:
        self._require_valid()
        return self._matcher.IsMatch(data)


class WorklistAnswers(_DuringCallback):
    """The answers to a worklist query, as DICOM files."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[bytes] = []
        self.is_complete = True

    @takes("ob")
    def WorklistAddAnswer(self, query: WorklistQuery, data: bytes) -> None:
        self._require_valid()
        self.files.append(data)

    @takes()
    def WorklistMarkIncomplete(self) -> None:
        self._require_valid()
        self.is_complete = False
