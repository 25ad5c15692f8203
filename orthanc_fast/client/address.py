"""Where a server is and who asks: addresses, and passwords that stand elsewhere."""

import base64
import netrc
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from orthanc_fast.client.errors import ServerError

DEFAULT = "http://localhost:8042"


class Address(NamedTuple):
    """Of a server. `url` is without name, password and the last slash; `headers` go with each
    request."""

    url: str
    is_secure: bool
    host: str
    port: int | None
    path: str
    headers: dict[str, str]


def address_of(server: str, user: str | None) -> Address:
    """Of `http://host:8042`, `https://host/path` or `host:8042`. `user` is "name:password"; else
    they may stand in the address, or in ~/.netrc under the name of the host. Raises ServerError."""
    parts = urlsplit(server if "://" in server else f"http://{server}")
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in ("http", "https") or not parts.hostname or port == -1:
        raise ServerError(0, f"{server!r} is no address of a server such as {DEFAULT}")
    if user is None and parts.username is not None:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    if user is None:
        user = _user_in_netrc(parts.hostname)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    path = parts.path.rstrip("/")
    url = f"{parts.scheme}://{host}{'' if port is None else f':{port}'}{path}"
    headers: dict[str, str] = {}
    if user is not None:
        headers["Authorization"] = f"Basic {base64.b64encode(user.encode()).decode()}"
    return Address(url, parts.scheme == "https", parts.hostname, port, path, headers)


def _user_in_netrc(host: str) -> str | None:
    path = Path("~/.netrc").expanduser()
    try:
        found = netrc.netrc(path).authenticators(host)
    except FileNotFoundError:
        return None
    except (netrc.NetrcParseError, OSError) as error:
        text = f"cannot read the users in {path}: {error}: correct it, or give the user otherwise"
        raise ServerError(0, text) from error
    return None if found is None else f"{found[0]}:{found[2]}"
