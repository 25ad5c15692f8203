"""Webhooks: those who asked for it are told of changes by HTTP. This server's own.

What is sent is signed as Standard Webhooks 1.0 says. Each target gets its events in order and at
least once: how far it has come is kept in the index, so that a restart loses nothing. One process
delivers, the one that holds a lock on a file; when it dies, another one gets the lock.
"""

import asyncio
import base64
import fcntl
import hashlib
import hmac
import os
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import msgspec

from orthanc_fast.config_sections import Webhook
from orthanc_fast.index.contract import Snapshot, Transaction, Write
from orthanc_fast.log import Category, logger
from orthanc_fast.model import SERVER, Change, ChangesPage
from orthanc_fast.registries import CHANGE_NUMBERS
from orthanc_fast.services.browse.change_feed import ChangeEntry, ChangeFeed, change_entry
from orthanc_fast.services.exchange.client_tls import UnusableCertificate
from orthanc_fast.services.exchange.outgoing import OutgoingCalls
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.writes import Writes

PROPERTY: Final = "webhooks"
LOCK_FILE: Final = "webhooks.lock"

LEADER_PERIOD = 1.0  # seconds between two looks of the others whether the lock is free
SILENCE = 3600.0  # seconds after which waiting for changes begins anew
PAGE = 100  # changes that are read at a time; the position is kept after each page

FIRST_PAUSE = 1.0  # seconds between attempts; each is twice as long as the one before, up to
LONGEST_PAUSE = 300.0


class Progress(msgspec.Struct):
    """How far a target has come: the last sequence number that is done with, and since when (in
    seconds since the epoch) the next one has been failing."""

    position: int
    failing_since: float | None = None


class Event(msgspec.Struct):
    """What is sent."""

    type: str
    timestamp: str
    data: ChangeEntry


_decode = msgspec.json.Decoder(dict[str, Progress]).decode


def signature(secret: str, identifier: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`; a secret that begins with `whsec_` is Base64."""
    prefix, encoded = secret[:6], secret[6:]
    key = base64.b64decode(encoded + "==") if prefix == "whsec_" else secret.encode()
    signed = f"{identifier}.{timestamp}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def _state(view: Snapshot) -> tuple[bytes | None, int]:
    """What is kept of the progress, and the greatest sequence number ever given."""
    return view.property(PROPERTY), view.totals().next_change - 1


class Webhooks:
    """The delivery of one process: `run` is its task."""

    def __init__(
        self,
        hooks: Sequence[Webhook],
        reads: Reads,
        writes: Writes,
        folder: Path,
        feed: ChangeFeed,
        outgoing: OutgoingCalls,
    ) -> None:
        self._hooks = {_key(hook): hook for hook in hooks}
        self._read = reads
        self._write = writes
        self._lock_path = folder / LOCK_FILE
        self._feed = feed
        self._outgoing = outgoing
        self._progress: dict[str, Progress] = {}

    async def run(self) -> None:
        """Waits until this process is the one that delivers, then delivers until it is cancelled
        or the process stops."""
        descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while not _locked(descriptor):
                await asyncio.sleep(LEADER_PERIOD)
            await self._begin()
            try:
                async with asyncio.TaskGroup() as group:
                    for key, hook in self._hooks.items():
                        group.create_task(self._serve(key, hook))
            except asyncio.CancelledError:
                await self._keep()  # an orderly end repeats nothing
                raise
        finally:
            os.close(descriptor)  # which frees the lock

    async def _begin(self) -> None:
        """Targets that are new begin with the next change; those that are gone are forgotten."""
        stored, last = await self._read.run(self._read, SERVER, _state)
        known = {} if stored is None else _decode(stored)
        self._progress = {key: known.get(key) or Progress(last) for key in self._hooks}
        await self._keep()

    async def _keep(self) -> None:
        await self._write(SERVER, _Keep(msgspec.json.encode(self._progress)))

    async def _serve(self, key: str, hook: Webhook) -> None:
        types = frozenset(CHANGE_NUMBERS[name] for name in hook.events)
        progress = self._progress[key]
        try:
            client = self._client(hook)
        except UnusableCertificate as error:  # nothing is lost: the next start goes on from here
            logger.error(Category.HTTP, f"Webhook {_shown(hook.url)}: not served: {error}")
            return
        async with client:
            while not self._feed.closed:
                page = await self._read.run(self._page, progress.position, types)
                for sequence, change in page.changes:
                    await self._deliver(client, key, hook, sequence, change)
                    progress.position = sequence
                if page.changes:
                    await self._keep()
                elif page.last_allocated > progress.position:
                    progress.position = page.last_allocated  # nothing among them is for this target
                else:
                    await self._feed.beyond(progress.position, SILENCE)

    def _client(self, hook: Webhook) -> aiohttp.ClientSession:
        """Raises UnusableCertificate."""
        return self._outgoing.session(
            hook.timeout,
            tls=self._outgoing.tls() if hook.url.startswith("https:") else None,
            allow_private=hook.allow_private_addresses,
        )

    def _page(self, since: int, types: frozenset[int]) -> ChangesPage:
        return self._read(SERVER, lambda view: view.changes(since, -1, PAGE, types))

    async def _deliver(
        self, client: aiohttp.ClientSession, key: str, hook: Webhook, sequence: int, change: Change
    ) -> None:
        """Returns when the target has taken the event, or has been given up for this one."""
        progress = self._progress[key]
        entry = change_entry(sequence, change)
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(change.date))
        body = msgspec.json.encode(Event(entry.ChangeType, when, entry))
        identifier = f"msg_{key}_{sequence}"
        pause = FIRST_PAUSE
        while True:
            fault = await _attempt(client, hook, identifier, body)
            if fault is None:
                break
            name = f"Webhook {_shown(hook.url)}: {entry.ChangeType} {entry.ID}: {fault}"
            now = time.time()
            if progress.failing_since is None:
                progress.failing_since = now
                progress.position = sequence - 1
                await self._keep()
            if now - progress.failing_since + pause > hook.give_up_after:
                logger.error(Category.HTTP, f"{name}: given up")
                break
            logger.warning(Category.HTTP, f"{name}: tried again in {pause:.0f} s")
            await asyncio.sleep(pause * random.uniform(0.9, 1.1))
            pause = min(2 * pause, LONGEST_PAUSE)
        progress.failing_since = None


async def _attempt(
    client: aiohttp.ClientSession, hook: Webhook, identifier: str, body: bytes
) -> str | None:
    """None if the target has taken the event, else what was wrong."""
    now = int(time.time())
    headers = {
        **hook.headers,
        "Content-Type": "application/json",
        "User-Agent": "orthanc_fast",
        "webhook-id": identifier,
        "webhook-timestamp": str(now),
    }
    if hook.secret:
        headers["webhook-signature"] = signature(hook.secret, identifier, now, body)
    try:
        async with client.post(
            hook.url, data=body, headers=headers, allow_redirects=False
        ) as answer:
            if 200 <= answer.status < 300:
                return None
            if 300 <= answer.status < 400:
                return f"status {answer.status}: redirections are not followed"
            return f"status {answer.status}"
    except TimeoutError:
        return f"no answer within {hook.timeout:g} s"
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return str(error) or type(error).__name__


def _key(hook: Webhook) -> str:
    """What makes a target the same over restarts: where it is and what it wants."""
    text = "\n".join([hook.url, *sorted(hook.events)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _shown(url: str) -> str:
    """An address as the log shows it: without user, password and query, which may be secrets."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class _Keep(Write[None]):
    def __init__(self, value: bytes) -> None:
        self._value = value

    def apply(self, transaction: Transaction) -> None:
        transaction.set_property(PROPERTY, self._value)
