"""Guesses at passwords are counted over processes, in time, and by what was guessed."""

import pytest

from orthanc_fast.runtime.memory import MemoryRuntime
from orthanc_fast.services.users.guesses import (
    MOST_AT_NAME,
    MOST_OF_ADDRESS,
    SECONDS,
    Guesses,
)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0 * SECONDS

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def processes(clock: Clock) -> list[Guesses]:
    runtime = MemoryRuntime()
    return [Guesses(runtime, clock) for _ in range(3)]


def test_an_address_has_some_guesses(processes: list[Guesses], clock: Clock) -> None:
    for number in range(MOST_OF_ADDRESS):
        assert [each.wait("10.0.0.1", "a") for each in processes] == [0, 0, 0]
        processes[number % 3].failed("10.0.0.1", f"name {number}", "x")
    clock.now += 10
    assert [each.wait("10.0.0.1", "other") for each in processes] == [SECONDS - 10] * 3
    assert processes[0].wait("10.0.0.2", "a") == 0
    clock.now += SECONDS - 10
    assert [each.wait("10.0.0.1", "a") for each in processes] == [0, 0, 0]


def test_the_same_again_is_no_guess(processes: list[Guesses]) -> None:
    for _ in range(5 * MOST_OF_ADDRESS):
        processes[0].failed("10.0.0.1", "a", "of last year")
    assert processes[1].wait("10.0.0.1", "a") == 0
    assert processes[2].is_known("10.0.0.1", "a", "of last year")
    assert not processes[2].is_known("10.0.0.1", "a", "of this year")
    assert not processes[2].is_known("10.0.0.2", "a", "of last year")


def test_a_name_that_many_guess_at(processes: list[Guesses]) -> None:
    for number in range(MOST_AT_NAME):
        processes[0].failed(f"10.0.1.{number}", "a", f"guess {number}")
    assert processes[1].wait("10.0.2.1", "a") == 0  # who knows the password needs one attempt
    processes[2].failed("10.0.2.1", "a", "wrong")
    assert processes[1].wait("10.0.2.1", "a") > 0
    assert processes[1].wait("10.0.2.1", "b") == 0


def test_a_network_of_ipv6_is_one_address(processes: list[Guesses]) -> None:
    for number in range(MOST_OF_ADDRESS):
        processes[0].failed(f"2001:db8:1:2::{number:x}", "a", f"guess {number}")
    assert processes[1].wait("2001:db8:1:2:ffff::1", "a") > 0
    assert processes[1].wait("2001:db8:1:3::1", "a") == 0
    for number in range(MOST_OF_ADDRESS):
        processes[0].failed("::ffff:10.0.0.9", "a", f"guess {number}")
    assert processes[1].wait("10.0.0.9", "a") > 0


@pytest.mark.parametrize("address", ["", "unknown", "x" * 3000, "ä/../b"])
def test_odd_addresses_and_names(processes: list[Guesses], address: str) -> None:
    for number in range(MOST_OF_ADDRESS):
        processes[0].failed(address, "n" * 5000 + "\udcff", f"guess {number}")
    assert processes[1].wait(address, "a") > 0


def test_nothing_is_left_of_old_guesses(clock: Clock) -> None:
    runtime = MemoryRuntime()
    guesses = Guesses(runtime, clock)
    for number in range(20):
        guesses.failed(f"10.0.0.{number}", f"name {number}", "x")
    clock.now += SECONDS
    guesses.failed("10.0.1.1", "a", "x")
    left = runtime.read(lambda view: view.below("guesses/"))
    assert len(left) == 2
