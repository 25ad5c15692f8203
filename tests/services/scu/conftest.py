"""A small store whose instances are sent, and one peer for all tests of the jobs that retrieve."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.dicom_door import Shelf
from support.retrieve_scp import RetrieveScp
from support.retrieve_site import Site
from support.small_sender import SmallSender


@pytest.fixture
def nothing_is_left() -> Iterator[None]:
    """Neither threads nor sockets of a test."""
    threads, files = set(threading.enumerate()), len(os.listdir("/proc/self/fd"))
    yield
    assert set(threading.enumerate()) <= threads
    assert len(os.listdir("/proc/self/fd")) <= files


@pytest.fixture
def sender(tmp_path: Path) -> Iterator[SmallSender]:
    with SmallSender(tmp_path) as sender:
        yield sender


@pytest.fixture(scope="module")
def peer() -> Iterator[RetrieveScp]:
    with RetrieveScp().serving() as peer:
        yield peer


@pytest.fixture
def scp(peer: RetrieveScp) -> RetrieveScp:
    peer.reset()
    return peer


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    """A store; afterwards nothing may be left of the test in it but what it keeps."""
    shelf = Shelf(tmp_path)
    yield shelf
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def site(scp: RetrieveScp, shelf: Shelf) -> Site:
    return Site(scp, shelf)
