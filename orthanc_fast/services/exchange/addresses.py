"""Addresses of other servers as they may be shown."""

import re
from typing import Final

# The last @ of the authority ends it; more generous than RFC 3986, for passwords as people write
# them: an address that nobody can call must not show them either.
_USER: Final = re.compile(r"^((?:[a-z][a-z0-9+.-]*:)?//|)[^/?#]*@", re.IGNORECASE)


def without_user(url: str) -> str:
    """The address without user and password, whether it can be called or not."""
    return _USER.sub(r"\1", url)
