"""Requests that a script process makes of its own application: they come from no client."""

from typing import Final

import msgspec

from orthanc_fast.model import Caller

SCOPE_KEY: Final = "orthanc_fast.inside"
"""Where the scope of such a request has its `Inside`: servers of HTTP never make this key."""


class Inside(msgspec.Struct, frozen=True):
    """Who makes the request; `builtin`: routes of scripts are left out."""

    caller: Caller
    builtin: bool = False
