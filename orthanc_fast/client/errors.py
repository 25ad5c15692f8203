"""What goes wrong between a client and its server."""

import json


class ServerError(Exception):
    """The server refused: `status` of HTTP, 0 where it could not be reached or the answer broke
    off; the text says why and, where something can be done, what."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(f"{status} {text}" if status else text)


def refusal(status: int, method: str, path: str, body: bytes) -> ServerError:
    """The error that an answer of HTTP tells."""
    reason = _reason(body)
    hint = {
        401: "give the name and the password of a user",
        403: "the user lacks the right for this",
    }.get(status)
    return ServerError(status, f"{method} {path}: {reason}" + (f": {hint}" if hint else ""))


def _reason(body: bytes) -> str:
    try:
        found = json.loads(body)
        return str(found.get("Details") or found["Message"])
    except (ValueError, KeyError, AttributeError):
        return body.decode("utf-8", "replace")[:200].strip() or "refused"


def cannot_reach(url: str, error: Exception) -> ServerError:
    text = f"cannot reach {url}: {error or type(error).__name__}"
    return ServerError(0, f"{text}: does it run there, and is the address right?")


def broke_off(url: str, path: str, error: Exception) -> ServerError:
    return ServerError(0, f"{url}{path}: the answer broke off: {error or type(error).__name__}")


def no_sense(url: str, path: str, error: Exception) -> ServerError:
    text = f"{url}{path} does not answer as an Orthanc does: {error}: is the address right?"
    return ServerError(0, text)
