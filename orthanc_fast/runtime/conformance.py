"""What every runtime has to pass: a suite for pytest, to be derived from."""

import asyncio
import threading
from collections.abc import Callable

from orthanc_fast.errors import ParameterOutOfRange
from orthanc_fast.runtime.bell import Ear
from orthanc_fast.runtime.contract import Runtime, Snapshot, Transaction
from orthanc_fast.runtime.names import LONGEST

GUARD = 30.0  # seconds after which a test that hangs is ended


class RuntimeConformance:
    """Derived classes make a fixture `runtime`, empty and closed afterwards."""

    def test_values(self, runtime: Runtime) -> None:
        assert runtime.get("a") is None
        runtime.write(lambda txn: txn.set("a", b"1"))
        assert runtime.get("a") == b"1"
        runtime.write(lambda txn: txn.set("a", b""))
        assert runtime.get("a") == b""
        assert runtime.write(lambda txn: txn.delete("a"))
        assert not runtime.write(lambda txn: txn.delete("a"))
        assert runtime.get("a") is None

    def test_names_below_a_prefix_are_sorted_by_their_bytes(self, runtime: Runtime) -> None:
        names = ["jobs/10", "jobs/9", "jobs/é", "jobs/\U0001f600", "jobs/\ufb01", "job", "k"]

        def fill(transaction: Transaction) -> None:
            for name in names:
                transaction.set(name, name.encode())
            assert len(transaction.below("jobs/")) == 5
            transaction.delete("jobs/9")

        runtime.write(fill)
        found = runtime.read(lambda snapshot: snapshot.below("jobs/"))
        assert [name for name, _ in found] == [
            "jobs/10",
            "jobs/é",
            "jobs/\ufb01",
            "jobs/\U0001f600",
        ]
        assert [value.decode() for _, value in found] == [name for name, _ in found]
        assert len(runtime.read(lambda snapshot: snapshot.below(""))) == 6
        assert runtime.read(lambda snapshot: snapshot.below("x")) == []
        assert runtime.read(lambda snapshot: snapshot.first_below("jobs/")) == found[0]
        assert runtime.read(lambda snapshot: snapshot.first_below("k")) == ("k", b"k")
        assert runtime.read(lambda snapshot: snapshot.first_below("jobs/:")) is None
        assert runtime.read(lambda snapshot: snapshot.first_below("x")) is None

    def test_a_transaction_that_raises_changes_nothing(self, runtime: Runtime) -> None:
        runtime.write(lambda txn: txn.set("kept", b"1"))
        heard = runtime.bell.heard("kept")

        def broken(transaction: Transaction) -> None:
            transaction.set("kept", b"2")
            transaction.set("new", b"2")
            assert transaction.get("kept") == b"2"
            raise LookupError

        try:
            runtime.write(broken)
        except LookupError:
            pass
        else:
            raise AssertionError("the error was swallowed")
        assert runtime.get("kept") == b"1"
        assert runtime.get("new") is None
        assert runtime.bell.heard("kept") == heard

    def test_a_snapshot_stays_as_it_was(self, runtime: Runtime) -> None:
        runtime.write(lambda txn: txn.set("a", b"1"))

        def change() -> None:
            runtime.write(lambda txn: txn.set("a", b"2"))

        def compare(snapshot: Snapshot) -> None:
            writer = threading.Thread(target=change)
            writer.start()
            writer.join()
            assert snapshot.get("a") == b"1"

        runtime.read(compare)
        assert runtime.get("a") == b"2"

    def test_names_that_cannot_be(self, runtime: Runtime) -> None:
        longest = "x" * LONGEST
        runtime.write(lambda txn: txn.set(longest, b"1"))
        assert runtime.get(longest) == b"1"
        uses: tuple[Callable[[str], object], ...] = (
            runtime.get,
            lambda name: runtime.read(lambda snapshot: snapshot.get(name)),
            lambda name: runtime.write(lambda txn: txn.get(name)),
            lambda name: runtime.write(lambda txn: txn.set(name, b"1")),
            lambda name: runtime.write(lambda txn: txn.delete(name)),
        )
        for name in ("", longest + "x"):
            for use in uses:
                try:
                    use(name)
                except ParameterOutOfRange:
                    continue
                raise AssertionError(f"a name of {len(name)} bytes was taken")

    def test_concurrent_transactions_lose_nothing(self, runtime: Runtime) -> None:
        def add(transaction: Transaction) -> None:
            transaction.set("sum", b"%d" % (int(transaction.get("sum") or b"0") + 1))

        def work() -> None:
            for _ in range(50):
                runtime.write(add)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert runtime.get("sum") == b"400"

    def test_changes_ring_their_name_and_their_room(self, runtime: Runtime) -> None:
        bell = runtime.bell
        topics = ("jobs/1/progress", "jobs", "jobs/2")
        heard = [bell.heard(topic) for topic in topics]
        runtime.write(lambda txn: txn.set("jobs/1/progress", b"50"))
        changed = [bell.heard(topic) != known for topic, known in zip(topics, heard, strict=True)]
        assert changed == [True, True, False]
        heard = [bell.heard(topic) for topic in topics]
        runtime.read(lambda snapshot: snapshot.below(""))
        assert [bell.heard(topic) for topic in topics] == heard

    def test_a_thread_is_woken(self, runtime: Runtime) -> None:
        heard = runtime.bell.heard("a")
        waiting = threading.Thread(target=runtime.bell.wait, args=("a", heard, 60), daemon=True)
        waiting.start()
        runtime.write(lambda txn: txn.set("a", b"1"))
        waiting.join(GUARD)
        assert not waiting.is_alive()
        runtime.bell.wait("a", heard, 60)  # it has rung: at once
        runtime.bell.wait("a", runtime.bell.heard("a"), 0.05)

    def test_coroutines_are_woken(self, runtime: Runtime) -> None:
        async def waits(ear: Ear, name: str) -> None:
            heard = runtime.bell.heard(name)
            while not runtime.get(name):
                await ear.wait(name, heard, 60)
                heard = runtime.bell.heard(name)

        async def run() -> None:
            ear = Ear(runtime.bell)
            waiting = [asyncio.create_task(waits(ear, f"a/{n % 2}")) for n in range(300)]
            await asyncio.sleep(0.1)
            runtime.write(lambda txn: txn.set("a/0", b"1"))
            async with asyncio.timeout(GUARD):
                await asyncio.gather(*waiting[::2])
                assert not any(task.done() for task in waiting[1::2])
                runtime.write(lambda txn: txn.set("a/1", b"1"))
                await asyncio.gather(*waiting)

        asyncio.run(run())
