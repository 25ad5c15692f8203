"""Labels of resources. Source: reference chapter 1, section 6.3."""

import re

from orthanc_fast.errors import ParameterOutOfRange, UnknownResource
from orthanc_fast.index.lmdb.commit import Write
from orthanc_fast.index.lmdb.labels import add_label, remove_label
from orthanc_fast.index.lmdb.transaction import Transaction
from orthanc_fast.model import Level

_LABEL = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


def checked_label(text: str) -> str:
    """The label itself. Raises ParameterOutOfRange."""
    if _LABEL.match(text) is None:
        raise ParameterOutOfRange(
            f"Not a label: {text!r}; labels have 1 to 64 of the characters A-Z, a-z, 0-9, _ and -"
        )
    return text


class SetLabel(Write[None]):
    """Adds a label to a resource, or removes it; either way it is no error if that is so already.

    Fails with UnknownResource.
    """

    def __init__(self, level: Level, public: bytes, label: str, present: bool) -> None:
        self._level = level
        self._public = public
        self._label = label
        self._change = add_label if present else remove_label

    def apply(self, transaction: Transaction) -> None:
        resource = transaction.resource(self._level, self._public)
        if resource is None:
            raise UnknownResource
        self._change(transaction, resource, self._label)
