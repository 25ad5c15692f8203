"""Jobs that retrieve and are stopped, and those that go on."""

import socket
import time

import pytest
from support.job_run import KeptRun
from support.retrieve_scp import dying, sending
from support.retrieve_site import FILES, Site, stop_after, wanted

from orthanc_fast.services.jobs.contract import Stopped
from orthanc_fast.services.scu import retrieval
from orthanc_fast.services.scu.retrieve_orders import RetrieveOrder, encode_order


def test_a_get_that_is_cancelled(site: Site) -> None:
    site.scp.get = sending(*FILES * 50)
    run = KeptRun(site.order(None, *wanted()), on_step=stop_after(10))
    with pytest.raises(Stopped):
        site.ran(run)
    assert site.scp.cancels == 1
    assert 0 < len(site.scp.statuses) < 200
    assert (site.scp.releases, site.scp.aborts) == (1, 0), "the peer has ended it by itself"
    (detail,) = run.content["Details"]
    assert len(detail.received) == len(site.shelf.files) > 0


def test_a_peer_that_does_not_hear_of_the_cancellation(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrieval, "_PATIENCE", 0.1)
    site.scp.move = dying("silence")
    run = KeptRun(site.order("TARGET", *wanted()), on_step=stop_after(2))
    with pytest.raises(Stopped):
        site.ran(run)
    assert site.scp.aborts == 1


def test_a_peer_that_is_silent_from_the_beginning(site: Site) -> None:
    """Nobody waits for the answer to the A-ASSOCIATE-RQ when the job is stopped."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        modality = {"port": silent.getsockname()[1]}
        order = site.order("TARGET", *wanted(), timeout=30, modality=modality)
        begin = time.monotonic()
        with pytest.raises(Stopped):
            site.ran(KeptRun(order, on_step=stop_after(2)))
        assert time.monotonic() - begin < 5


def test_a_job_goes_on_where_it_was(site: Site) -> None:
    site.scp.get = sending(FILES[0])
    resources = wanted("1.2.3", "1.2.4", "1.2.5")
    first = KeptRun(site.order(None, *resources), on_step=stop_after(5))
    with pytest.raises(Stopped):
        site.ran(first)
    done = len(site.scp.identifiers)
    assert 0 < done < 3
    again = KeptRun(first.payload, first.memory)
    site.ran(again)
    assert [each.status for each in again.content["Details"]] == [0, 0, 0]
    assert all(each.received for each in again.content["Details"])
    asked = [str(each.StudyInstanceUID) for each in site.scp.identifiers]
    assert sorted(set(asked)) == ["1.2.3", "1.2.4", "1.2.5"]
    assert len(asked) <= 4, "at most the one that was cut off is repeated"


def test_nothing_is_asked_for(site: Site) -> None:
    order = RetrieveOrder(
        modality=site.modality(),
        local_aet="HERE",
        target="TARGET",
        timeout=None,
        permissive=False,
        wanted=(),
    )
    site.ran(KeptRun(encode_order(order)))
    assert site.scp.identifiers == []
