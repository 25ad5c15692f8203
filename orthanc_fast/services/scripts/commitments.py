"""Storage commitment that scripts decide instead of the server. Source: reference chapter 7,
section 2.3."""

from collections.abc import Sequence
from typing import Final

from orthanc_fast.model import Caller
from orthanc_fast.services.scripts.calls import Calls
from orthanc_fast.services.scripts.faults import ScriptFault
from orthanc_fast.services.scripts.questions import Callback, Commitment, origin_of
from orthanc_fast.services.storage_commitment.reports import Reference

# By `StorageCommitmentFailureReason`.
_REASONS: Final = (0, 0x0110, 0x0112, 0x0213, 0x0122, 0x0119, 0x0131)


class ScriptedCommitments:
    """Asks scripts why instances are not kept."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def reasons(
        self, job: str, transaction: str, references: Sequence[Reference], caller: Caller
    ) -> list[int] | None:
        """A reason for each, 0 for one that is kept; None where no script decides. Raises
        ScriptFault, also for a reason that is none, and NoAnswer."""
        who = self._calls.who(Callback.COMMITMENT)
        if not who:
            return None
        question = Commitment(
            job,
            transaction,
            [each.sop_class for each in references],
            [each.sop_instance for each in references],
            origin_of(caller),
        )
        seconds = self._calls.options.event_timeout
        found = self._calls.ask(who[0], Callback.COMMITMENT, question, list[int], seconds)
        if len(found) != len(references) or not all(0 <= each < len(_REASONS) for each in found):
            raise ScriptFault("The script gives an unknown StorageCommitmentFailureReason")
        return [_REASONS[each] for each in found]
