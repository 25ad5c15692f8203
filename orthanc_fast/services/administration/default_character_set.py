"""The character set of files that name none: the option `DefaultEncoding`, until REST sets another
one for this run. Source: reference chapter 1, section 10.2."""

from orthanc_fast.character_sets import canonical_character_set
from orthanc_fast.model import Caller
from orthanc_fast.runtime.contract import Runtime
from orthanc_fast.services.store.session import SessionOption


class DefaultCharacterSet:
    """As it is now, in all processes: call it."""

    def __init__(self, runtime: Runtime, configured: str) -> None:
        self._option = SessionOption(runtime, "default-encoding", str, configured)

    def __call__(self) -> str:
        return self._option.get()

    def set(self, caller: Caller, name: str) -> str:
        """Sets another one until the server ends; its canonical name. Raises ParameterOutOfRange
        for one that is unknown."""
        canonical = canonical_character_set(name)
        self._option.set(caller, canonical)
        return canonical
