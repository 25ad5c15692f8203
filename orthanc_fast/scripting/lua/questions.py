"""Questions to Lua scripts: their arguments, and what their answers may be. Source: reference
chapter 7, section 6.3."""

from typing import Any, Final

import msgspec

from orthanc_fast.services.scripts.faults import ScriptFault
from orthanc_fast.services.scripts.questions import Arriving, Origin

NO_PREDICATE: Final = 2034

_json = msgspec.json.Decoder().decode


def truth(found: Any) -> bool:
    """What a filter has answered. Raises ScriptFault where that is neither true nor false."""
    if not isinstance(found, bool):
        raise ScriptFault(code=NO_PREDICATE)
    return found


def arriving(asked: Arriving) -> tuple[Any, ...]:
    """What filters of instances get."""
    assert asked.tags is not None
    info = {"HasPixelData": asked.has_pixel_data, "TransferSyntaxUID": asked.transfer_syntax}
    return _json(asked.tags), origin_table(asked.origin), info


def origin_table(origin: Origin) -> dict[str, str]:
    """Where an instance comes from, as scripts see it."""
    found = {"RequestOrigin": origin.request_origin}
    if origin.request_origin == "RestApi":
        found |= {"RemoteIp": origin.remote_ip or "", "Username": origin.user or ""}
    elif origin.request_origin == "DicomProtocol":
        found |= {
            "RemoteIp": origin.remote_ip or "",
            "RemoteAet": origin.remote_aet or "",
            "CalledAet": origin.called_aet or "",
        }
    return found
