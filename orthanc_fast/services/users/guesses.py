"""Guesses at passwords, counted for all workers together.

Different wrong passwords count, the same one again does not: a program with an old password is no
attacker, and must not keep others out. An address that has guessed MOST_OF_ADDRESS times waits for
the end of the time, whatever it sends then. At a name that was guessed at MOST_AT_NAME times, from
wherever, an address has one guess only: whoever knows the password needs no second one.
"""

import hashlib
import secrets
import time
from collections.abc import Callable
from ipaddress import IPv4Address, ip_address
from typing import Final

from orthanc_fast.runtime.contract import Runtime, Transaction

SECONDS: Final = 300  # for which guesses count
MOST_OF_ADDRESS: Final = 10
MOST_AT_NAME: Final = 50

_PREFIX: Final = "guesses"
_KEY: Final = "guess-key"
_SIZE: Final = 8  # bytes of what is kept of a wrong password


class Guesses:
    """The guesses of one server, as one of its processes sees them; `clock` gives seconds."""

    def __init__(self, runtime: Runtime, clock: Callable[[], float] = time.time) -> None:
        self._runtime = runtime
        self._clock = clock
        self._heard = runtime.bell.counter(_PREFIX)
        self._quiet = -1  # what the bell says while there are none
        self._key = runtime.write(_shared_key)

    def wait(self, address: str, name: str) -> int:
        """The seconds until this address may try again as this user, 0 for none. Where nobody has
        guessed this costs a look into memory."""
        heard = self._heard()
        if heard == self._quiet:
            return 0
        if self._runtime.read(lambda view: view.first_below(f"{_PREFIX}/")) is None:
            self._quiet = heard
            return 0
        period, left = self._period()
        own = self._runtime.get(_of_address(period, address)) or b""
        if len(own) >= MOST_OF_ADDRESS * _SIZE:
            return left
        others = self._runtime.get(self._of_name(period, name)) or b""
        return left if own and len(others) >= MOST_AT_NAME * _SIZE else 0

    def is_known(self, address: str, name: str, password: str) -> bool:
        """Whether this address has tried just that a short while ago, and it was wrong."""
        period, _ = self._period()
        known = self._runtime.get(_of_address(period, address)) or b""
        return self._digest(f"{name}:{password}", _SIZE) in _guesses(known)

    def failed(self, address: str, name: str, password: str) -> None:
        """A wrong password, or a name that nobody has."""
        period, _ = self._period()
        guess = self._digest(f"{name}:{password}", _SIZE)

        def work(transaction: Transaction) -> None:
            while (first := transaction.first_below(f"{_PREFIX}/")) is not None:
                if first[0] >= f"{_PREFIX}/{period:010d}":
                    break
                transaction.delete(first[0])
            for place, most in (
                (_of_address(period, address), MOST_OF_ADDRESS),
                (self._of_name(period, name), MOST_AT_NAME),
            ):
                known = transaction.get(place) or b""
                if guess not in _guesses(known) and len(known) < most * _SIZE:
                    transaction.set(place, known + guess)

        self._runtime.write(work)

    def _period(self) -> tuple[int, int]:
        """The number of the time that runs, and the seconds that are left of it."""
        now = int(self._clock())
        return now // SECONDS, SECONDS - now % SECONDS

    def _of_name(self, period: int, name: str) -> str:
        return f"{_PREFIX}/{period:010d}/name/{self._digest(name, 16).hex()}"

    def _digest(self, text: str, size: int) -> bytes:
        raw = text.encode("utf-8", "surrogateescape")
        return hashlib.blake2b(raw, digest_size=size, key=self._key).digest()


def _guesses(known: bytes) -> list[bytes]:
    return [known[at : at + _SIZE] for at in range(0, len(known), _SIZE)]


def _shared_key(transaction: Transaction) -> bytes:
    known = transaction.get(_KEY)
    if known is None:
        known = secrets.token_bytes(32)
        transaction.set(_KEY, known)
    return known


def _of_address(period: int, text: str) -> str:
    """Who has an IPv6 address has a network of them."""
    try:
        address = ip_address(text)
    except ValueError:
        return f"{_PREFIX}/{period:010d}/address/{text[:64]}"
    if not isinstance(address, IPv4Address):
        mapped = address.ipv4_mapped
        network = ip_address(int(address) >> 64 << 64)
        address = network if mapped is None else mapped
    return f"{_PREFIX}/{period:010d}/address/{address}"
