"""Scripts decide when a resource is stable. Source: reference chapter 7, sections 3 and 6.2."""

import time

from orthanc_fast.index.contract import Transaction, Write


class SetStable(Write[bool | None]):
    """Makes a resource of any level stable or unstable: whether that changes it, None where there
    is none."""

    def __init__(self, public: bytes, is_stable: bool) -> None:
        self._public = public
        self._is_stable = is_stable

    def apply(self, transaction: Transaction) -> bool | None:
        resource = transaction.resource_of_any_level(self._public)
        if resource is None:
            return None
        return transaction.set_stable(resource, self._is_stable, int(time.time()))
