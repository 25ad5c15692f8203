"""Writes pass the judge of callers, as reads do."""

from collections.abc import Callable
from typing import Any

import pytest
from support import generated
from support.small_store import SmallStore

from orthanc_fast.errors import ForbiddenAccess, OrthancError
from orthanc_fast.model import Caller, Level
from orthanc_fast.services.browse.labels import Labels
from orthanc_fast.services.ingest.contract import IngestRequest
from orthanc_fast.services.store import visibility


class Refused(OrthancError):
    """What the judge of this test says inside of a transaction."""


def test_a_write_does_what_the_judge_leaves_of_it(
    small_store: SmallStore, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, study, *_ = small_store.add(1, 1, 1, 1)
    labels = Labels(small_store.reads, small_store.writes)
    judged: list[Caller] = []

    def judge(who: Caller, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def refuse(transaction: Any) -> Any:
            function(transaction)
            judged.append(who)
            raise Refused("not yours")

        return refuse

    monkeypatch.setattr(visibility, "seen_changes", judge)
    with pytest.raises(Refused):
        small_store.run(labels.add(caller, Level.STUDY, study, "seen"))
    assert set(judged) == {caller}
    assert labels.of(caller, Level.STUDY, study) == []
    with pytest.raises(Refused):
        small_store.add(2, 1, 1, 1)
    monkeypatch.undo()
    assert small_store.reads(caller, lambda view: view.totals().resources) == [1, 1, 1, 1]


def test_uploads_are_judged(small_store: SmallStore) -> None:
    guest = Caller(origin="RestApi", labels=frozenset({"public"}))
    data = generated.small().number(1, 1, 1, 1)
    with pytest.raises(ForbiddenAccess):
        small_store.run(small_store.ingest.store(IngestRequest(caller=guest, data=data)))
    small_store.add(1, 1, 1, 1)
    request = IngestRequest(caller=guest, data=data, overwrite="Never")
    with pytest.raises(ForbiddenAccess):  # nor is he told what is there
        small_store.run(small_store.ingest.store(request))
