"""The options of answering queries. Source: reference chapter 4, section 0; chapter 3, section
3.3.6."""

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.config_options import BY_NAME
from orthanc_fast.errors import ParameterOutOfRange
from orthanc_fast.services.modification.profiles import Profile, profile


class QueryOptions(msgspec.Struct, frozen=True):
    """`title` is our own application entity title; `hidden` is the profile whose attributes are not
    shown in logs, None where all are."""

    title: str
    case_sensitive_names: bool = False
    hidden: Profile | None = None


def query_options(settings: Settings) -> QueryOptions:
    """Raises ParameterOutOfRange for an edition of the standard that there is no table of, whatever
    is logged: it stops the start, as with Orthanc."""

    def get(name: str) -> object:
        value = settings.raw.get(name)
        return BY_NAME[name].default if value is None else value

    version = str(get("DeidentifyLogsDicomVersion"))
    try:
        known = profile(version)
    except ParameterOutOfRange as error:
        raise ParameterOutOfRange(f"DeidentifyLogsDicomVersion: {error.details}") from error
    return QueryOptions(
        title=settings.dicom_aet,
        case_sensitive_names=bool(get("CaseSensitivePN")),
        hidden=known if get("DeidentifyLogs") else None,
    )
