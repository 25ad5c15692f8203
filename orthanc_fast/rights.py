"""What users may be allowed to do. Every route of the REST API needs one of these."""

from enum import IntFlag
from typing import Final, NamedTuple


class Right(IntFlag):
    """The names in lower case are those of the option `Users`."""

    BROWSE = 1  # see, search and download what is stored
    UPLOAD = 2  # add to it, from here or from other servers, which are asked for it
    MODIFY = 4  # change and label it, make new instances of it, send and share it
    DELETE = 8
    ADMINISTRATE = 16  # settings, logs, metrics, other servers, scripts


NOTHING: Final = Right(0)  # what is open to everybody, logged in or not
SERVER_FACTS: Final = Right.BROWSE | Right.ADMINISTRATE
"""One of them is enough to see the pages of the interface, and what the server says of itself and
of other servers that it knows."""
EVERYTHING: Final = Right.BROWSE | Right.UPLOAD | Right.MODIFY | Right.DELETE | Right.ADMINISTRATE


def names_of(rights: Right) -> list[str]:
    """As they are written in the configuration, in their order."""
    return [right.name.lower() for right in Right if right in rights and right.name]


class Need(NamedTuple):
    """What a user needs for a route: one of the rights `any_of`, each of `also`, and unless it is
    `limited`, to see all studies."""

    any_of: Right
    limited: bool
    also: Right = NOTHING
