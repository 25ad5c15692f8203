"""What of a study or series has not come yet: asked of the server that has it. Source: PS3.18,
section 10.6; reference chapter 5, section 2.3."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from orthanc_fast.errors import OrthancError
from orthanc_fast.log import Category, logger
from orthanc_fast.services.dicom_web_client.calls import WebSession
from orthanc_fast.services.dicom_web_client.orders import Wanted

_SOP_INSTANCE: Final = "00080018"
_SERIES: Final = "0020000E"
_COUNT_OF_STUDY: Final = "00201208"
_COUNT_OF_SERIES: Final = "00201209"
_MOST: Final = 1_000_000  # instances; who says there are more is not believed
_FEW: Final = 4  # where less than one in so many has come, all of it comes again


class Inventory:
    """Compares what has come with what the server says it has."""

    def __init__(
        self, session: WebSession, headers: Mapping[str, str], has_come: Callable[[str], bool]
    ) -> None:
        self._session = session
        self._headers = {"Accept": "application/dicom+json", **_without_accept(headers)}
        self._has_come = has_come

    async def missing(self, wanted: Wanted) -> list[Wanted]:
        """The series and instances that have not come; all of it where the server does not tell, or
        little has come."""
        try:
            found = await self._instances(wanted)
        except OrthancError as error:
            logger.info(Category.HTTP, f"What is missing of a study is not known: {error}")
            return [wanted]
        if found is None:
            return [wanted]
        count = sum(map(len, found.values()))
        left = {
            series: [each for each in instances if not self._has_come(each)]
            for series, instances in found.items()
        }
        if _FEW * (count - sum(map(len, left.values()))) < count:
            return [wanted]
        return [
            part
            for series, instances in left.items()
            for part in _parts(wanted.study, series, instances, len(found[series]))
        ]

    async def _instances(self, wanted: Wanted) -> dict[str, list[str]] | None:
        """By series; None where they are not as many as the server counts, as with one that answers
        a part of them only."""
        announced = await self.count(wanted)
        where = f"studies/{wanted.study}/"
        if wanted.series:
            where += f"series/{wanted.series}/"
        found: dict[str, str] = {}
        while announced is not None and len(found) < announced:
            page = await self._search(f"{where}instances", {"offset": str(len(found))})
            known = len(found)
            for each in page:
                sop_instance = _value(each, _SOP_INSTANCE)
                series = wanted.series or _value(each, _SERIES)
                if isinstance(sop_instance, str) and isinstance(series, str) and series:
                    found[sop_instance] = series
            if len(found) == known:
                break
        if announced is None or len(found) != announced:
            return None
        by_series: dict[str, list[str]] = {}
        for sop_instance, series in found.items():
            by_series.setdefault(series, []).append(sop_instance)
        return by_series

    async def count(self, wanted: Wanted) -> int | None:
        """The instances that the server says a study or series has, None where it does not."""
        if wanted.series:
            uri, tag = f"studies/{wanted.study}/series", _COUNT_OF_SERIES
            arguments = {"SeriesInstanceUID": wanted.series}
        else:
            uri, tag = "studies", _COUNT_OF_STUDY
            arguments = {"StudyInstanceUID": wanted.study}
        found = await self._search(uri, {**arguments, "includefield": tag})
        count = _value(found[0], tag) if len(found) == 1 else None
        return count if isinstance(count, int) and 0 < count <= _MOST else None

    async def _search(self, uri: str, arguments: dict[str, str]) -> list[Any]:
        status, body = await self._session.call("GET", uri, arguments, self._headers)
        if status != 200:
            return []
        try:
            found = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return []
        return found if isinstance(found, list) else []


def _parts(study: str, series: str, left: list[str], count: int) -> list[Wanted]:
    if len(left) == count and count > 1:
        return [Wanted(f"studies/{study}/series/{series}", study, series)]
    return [Wanted(f"studies/{study}/series/{series}/instances/{each}") for each in left]


def _value(data_set: Any, tag: str) -> Any:
    match data_set:
        case dict() if isinstance(element := data_set.get(tag), dict):
            values = element.get("Value")
            return values[0] if isinstance(values, list) and values else None
    return None


def _without_accept(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() != "accept"}
