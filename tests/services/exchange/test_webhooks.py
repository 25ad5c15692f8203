"""The delivery of one process, and of several, without a server."""

import asyncio
import base64
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
from support import generated
from support.certificates import Authority
from support.http_peer import HttpPeer
from support.receiver import Delivery, Receiver
from support.small_store import USER, SmallStore

from orthanc_fast.config import Settings
from orthanc_fast.config_sections import Webhook
from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.runtime.bell import Bell
from orthanc_fast.services.browse.change_feed import ChangeFeed
from orthanc_fast.services.exchange import webhooks
from orthanc_fast.services.exchange.outgoing import OutgoingCalls
from orthanc_fast.services.exchange.webhooks import Webhooks
from orthanc_fast.services.ingest.contract import IngestRequest
from orthanc_fast.services.store.file_effects import CHANGES

DEFAULTS = Settings()
GUARD = 30.0  # seconds after which a test that hangs is ended
SECRET = "whsec_" + base64.b64encode(b"a key of this very test").decode()


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(webhooks, "LEADER_PERIOD", 0.001)


def hook(receiver: Receiver, *events: str, **more: Any) -> Webhook:
    return Webhook(receiver.url, events or ("NewStudy",), allow_private_addresses=True, **more)


class Delivering:
    """Webhooks at work in the event loop of a store."""

    def __init__(
        self, store: SmallStore, folder: Path, *hooks: Webhook, settings: Settings = DEFAULTS
    ) -> None:
        self.store = store
        self.bell = Bell()
        self.feed = ChangeFeed(store.index, self.bell)
        self.webhooks = Webhooks(
            hooks, store.reads, store.writes, folder, self.feed, OutgoingCalls(settings)
        )

    async def add(self, study: int) -> str:
        """The identifier of a new study."""
        data = generated.small().number(study, study, 1, 1)
        stored = await self.store.ingest.store(IngestRequest(caller=USER, data=data))
        self.bell.ring(CHANGES)
        return to_text(stored.publics[1])


@contextlib.asynccontextmanager
async def running(*given: Delivering) -> AsyncIterator[None]:
    """Until the block ends, as a process that stops in good order."""
    tasks = [asyncio.create_task(each.webhooks.run()) for each in given]
    try:
        yield
    finally:
        for each, task in zip(given, tasks, strict=True):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            each.feed.close()
            each.bell.close()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(GUARD):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.005)


def has_begun(small_store: SmallStore) -> bool:
    return small_store.index.read(lambda view: view.property(webhooks.PROPERTY)) is not None


def told(receiver: Receiver) -> list[str]:
    return [delivery.event["data"]["ID"] for delivery in receiver.deliveries]


def test_events_are_signed_and_in_order(small_store: SmallStore, tmp_path: Path) -> None:
    with Receiver() as receiver:
        told_here = Delivering(small_store, tmp_path, hook(receiver, secret=SECRET))

        async def work() -> list[str]:
            async with running(told_here):
                await until(lambda: has_begun(small_store))
                added = [await told_here.add(study) for study in range(5)]
                await until(lambda: len(receiver.deliveries) >= 5)
            return added

        assert small_store.run(work()) == told(receiver)
        checked = standardwebhooks.Webhook(SECRET)
        for delivery in receiver.deliveries:
            checked.verify(delivery.body, delivery.headers)
        assert {each.event["type"] for each in receiver.deliveries} == {"NewStudy"}


def test_a_failure_is_tried_again_before_anything_else(
    small_store: SmallStore, tmp_path: Path
) -> None:
    failures = [500, 302, 404]

    def answer(delivery: Delivery) -> int:
        return failures.pop() if failures else 200

    with Receiver(answer) as receiver:
        told_here = Delivering(small_store, tmp_path, hook(receiver))

        async def work() -> list[str]:
            async with running(told_here):
                await until(lambda: has_begun(small_store))
                added = [await told_here.add(study) for study in range(2)]
                await until(lambda: len(receiver.deliveries) >= 5)
            return added

        first, second = small_store.run(work())
        assert told(receiver) == [first] * 4 + [second]
        identifiers = [each.headers["webhook-id"] for each in receiver.deliveries]
        assert len(set(identifiers[:4])) == 1
        assert identifiers[4] not in identifiers[:4]


def test_an_event_is_given_up_and_the_next_one_comes(
    small_store: SmallStore, tmp_path: Path
) -> None:
    unwanted: list[str] = []

    def answer(delivery: Delivery) -> int:
        unwanted.append(delivery.event["data"]["ID"])
        return 500 if delivery.event["data"]["ID"] == unwanted[0] else 200

    with Receiver(answer) as receiver:
        told_here = Delivering(small_store, tmp_path, hook(receiver, give_up_after=0.0))

        async def work() -> list[str]:
            async with running(told_here):
                await until(lambda: has_begun(small_store))
                added = [await told_here.add(study) for study in range(2)]
                await until(lambda: len(receiver.deliveries) >= 2)
            return added

        first, second = small_store.run(work())
        assert told(receiver) == [first, second]


def test_a_target_that_fails_does_not_hold_up_the_others(
    small_store: SmallStore, tmp_path: Path
) -> None:
    with Receiver(lambda delivery: 500) as failing, Receiver() as receiver:
        told_here = Delivering(small_store, tmp_path, hook(failing), hook(receiver))

        async def work() -> list[str]:
            async with running(told_here):
                await until(lambda: has_begun(small_store))
                added = [await told_here.add(study) for study in range(3)]
                await until(lambda: len(receiver.deliveries) >= 3)
                await until(lambda: failing.deliveries)
            return added

        added = small_store.run(work())
        assert told(receiver) == added
        assert set(told(failing)) == {added[0]}


def test_a_restart_goes_on_where_the_last_one_was(small_store: SmallStore, tmp_path: Path) -> None:
    """What came before the target was known is not told, what came meanwhile is, nothing twice."""
    with Receiver() as receiver:
        first, second = (Delivering(small_store, tmp_path, hook(receiver)) for _ in range(2))

        async def work() -> list[str]:
            await first.add(0)
            async with running(first):
                await until(lambda: has_begun(small_store))
                added = [await first.add(1)]
                await until(lambda: receiver.deliveries)
            added.append(await second.add(2))
            async with running(second):
                await until(lambda: len(receiver.deliveries) >= 2)
                added.append(await second.add(3))
                await until(lambda: len(receiver.deliveries) >= 3)
            return added

        assert small_store.run(work()) == told(receiver)


def test_one_process_delivers_and_another_takes_over(
    small_store: SmallStore, tmp_path: Path
) -> None:
    with Receiver() as receiver:
        first, second = (Delivering(small_store, tmp_path, hook(receiver)) for _ in range(2))

        async def work() -> list[str]:
            async with running(second):
                async with running(first):
                    await until(lambda: has_begun(small_store))
                    added = [await first.add(1)]
                    second.bell.ring(CHANGES)
                    await until(lambda: receiver.deliveries)
                added.append(await second.add(2))
                await until(lambda: len(receiver.deliveries) >= 2)
            return added

        assert small_store.run(work()) == told(receiver)


def test_the_log_shows_no_secrets_of_an_address(
    small_store: SmallStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Receiver(lambda delivery: 500) as receiver:
        url = receiver.url.replace("http://", "http://me:secret@") + "/told?token=secret"
        target = Webhook(url, ("NewStudy",), allow_private_addresses=True, give_up_after=0.0)
        told_here = Delivering(small_store, tmp_path, target)

        async def work() -> None:
            async with running(told_here):
                await until(lambda: has_begun(small_store))
                await told_here.add(1)
                await until(lambda: "given up" in caplog.text)

        small_store.run(work())
    assert "/told: NewStudy" in caplog.text
    assert "status 500" in caplog.text
    assert "secret" not in caplog.text


def test_https_by_the_options_of_all_calls(small_store: SmallStore, tmp_path: Path) -> None:
    """The authority is that of HttpsCACertificates. Where that cannot be read, targets of HTTPS are
    not served, and lose nothing; others are."""
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("server", "subjectAltName = DNS:localhost"))
    with HttpPeer(tls=context, host="localhost") as peer, Receiver() as plain:
        hooks = [
            Webhook(peer.url, ("NewStudy",), allow_private_addresses=True),
            hook(plain),
        ]

        async def work(authorities: Path, study: int, condition: Callable[[], object]) -> str:
            settings = Settings(https_ca_certificates=authorities)
            told_here = Delivering(small_store, tmp_path, *hooks, settings=settings)
            async with running(told_here):
                await until(lambda: has_begun(small_store))
                added = await told_here.add(study)
                await until(condition)
            return added

        nowhere = work(tmp_path / "nope", 1, lambda: len(plain.deliveries) == 1)
        first = small_store.run(nowhere)
        assert peer.requests == []
        there = work(authority.certificate, 2, lambda: len(peer.requests) == 2)
        second = small_store.run(there)
        assert [json.loads(each.body)["data"]["ID"] for each in peer.requests] == [first, second]
