"""Who makes a request, and what he may do."""

from functools import lru_cache
from typing import Final, NoReturn

from orthanc_fast.config_users import User
from orthanc_fast.errors import ForbiddenAccess
from orthanc_fast.model import Caller
from orthanc_fast.rights import EVERYTHING, NOTHING, Need, Right, names_of


class Identity:
    """A user, or who came by a share link: then `study` is the only one that he sees. One object
    for each, so that it is its own key."""

    __slots__ = ("has_everything", "is_limited", "labels", "name", "rights", "study")

    def __init__(
        self,
        name: str,
        rights: Right = EVERYTHING,
        labels: frozenset[str] | None = None,
        study: bytes | None = None,
    ) -> None:
        self.name = name
        self.rights = rights
        self.labels = labels
        self.study = study
        self.is_limited = labels is not None or study is not None
        self.has_everything = rights == EVERYTHING and not self.is_limited

    def check(self, need: Need) -> None:
        """Raises ForbiddenAccess, which names what is missing."""
        if need.any_of and not need.any_of & self.rights:
            self._refuse(" or ".join(names_of(need.any_of)))
        self.require(need.also)
        if self.is_limited and not need.limited:
            raise ForbiddenAccess("this is for users who see all studies")

    def require(self, right: Right) -> None:
        """Raises ForbiddenAccess, which names the right."""
        if right not in self.rights:
            self._refuse(" and ".join(names_of(right & ~self.rights)))

    def _refuse(self, names: str) -> NoReturn:
        who = f"the user {self.name!r} has" if self.study is None else "a share link gives"
        raise ForbiddenAccess(f"this needs the right to {names}, which {who} not")


NOBODY: Final = Identity("", NOTHING)
"""Who has not logged in where that is needed."""

SOMEBODY: Final = Identity("")
"""Who need not log in, and scripts."""


@lru_cache(1024)
def somebody(name: str) -> Identity:
    """Who says his name where nobody needs to log in."""
    return Identity(name)


@lru_cache(1024)
def visitor(study: bytes, labels: frozenset[str] | None) -> Identity:
    """Who came by a link to a study, of a user who sees studies with these labels."""
    return Identity("", Right.BROWSE, labels, study)


def identity_of(user: User) -> Identity:
    return Identity(user.name, user.rights, user.labels)


@lru_cache(1024)
def caller_of(who: Identity, address: str) -> Caller:
    """The same for services: one object for all requests."""
    return Caller(
        origin="RestApi",
        user=who.name if who.study is None else None,
        address=address,
        labels=who.labels,
        study=who.study,
    )
