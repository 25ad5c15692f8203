"""What a caller who sees some studies only may change: those, and what is below them."""

from collections.abc import Sequence
from typing import NoReturn

from orthanc_fast.errors import ForbiddenAccess
from orthanc_fast.index.contract import Transaction
from orthanc_fast.model import Caller, Level, Outcome, Resource
from orthanc_fast.services.store.visible import sees


class VisibleTransaction:
    """Part of another transaction. Patients are not there, since others may see more of them.
    Whatever is not here raises ForbiddenAccess: labels, which say who sees what, logs, settings,
    new instances, and files, which need room."""

    def __init__(self, inner: Transaction, caller: Caller) -> None:
        self._inner = inner
        self._caller = caller

    def __getattr__(self, name: str) -> NoReturn:
        raise ForbiddenAccess("this is for users who see all studies")

    # Looking

    def resource(self, level: Level, public: bytes) -> Resource | None:
        resource = None if level == Level.PATIENT else self._inner.resource(level, public)
        if resource is None:
            return None
        line = [resource, *self._inner.ancestors(resource)]
        study = next(each for each in line if each.level == Level.STUDY)
        return resource if sees(self._caller, study) else None

    def resources(self, level: Level, publics: Sequence[bytes]) -> list[Resource | None]:
        return [self.resource(level, public) for public in publics]

    def resource_of_any_level(self, public: bytes) -> Resource | None:
        found = (self.resource(level, public) for level in Level)
        return next((each for each in found if each is not None), None)

    def ancestors(self, resource: Resource) -> list[Resource]:
        return self._inner.ancestors(resource)

    # Changing

    def delete(self, level: Level, public: bytes, now: int) -> Outcome:
        if self.resource(level, public) is None:
            return Outcome()
        outcome = self._inner.delete(level, public, now)
        left = outcome.remaining
        if left is not None and left[0] == Level.PATIENT:
            outcome.remaining = None  # he may be there for others only
        return outcome

    def set_md5(
        self, resource: Resource, kind: int, md5: str | None, stored_md5: str | None
    ) -> None:
        self._inner.set_md5(resource, kind, md5, stored_md5)

    def set_digest(self, resource: Resource, kind: int, digest: bytes) -> None:
        self._inner.set_digest(resource, kind, digest)

    def set_metadata(self, resource: Resource, number: int, value: bytes) -> int:
        return self._inner.set_metadata(resource, number, value)

    def remove_metadata(self, resource: Resource, number: int) -> None:
        self._inner.remove_metadata(resource, number)

    def log_change(self, kind: int, resource: Resource, now: int) -> int:
        return self._inner.log_change(kind, resource, now)
