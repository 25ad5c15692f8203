"""Changes that come while a script sleeps."""

from pathlib import Path

import pytest
from support.storm import Language, eventually, storm

CHANGES = 4000
CLIENTS = 4
# All processes together: their allocators and caches move by as much in any case, so 4,000 changes
# may take 12 KB each at most. `python -m bench storm` has 100,000.
MOST = 48 << 20  # bytes


@pytest.mark.parametrize("language", ["lua", "python"])
def test_storm(tmp_path: Path, language: Language) -> None:
    """They wait in the index, not in memory, and none is lost; the order is that of the log."""
    with storm(tmp_path, language) as found:
        found.change(200, CLIENTS)  # what the processes need for any such work
        before = found.memory()
        found.change(CHANGES, CLIENTS)
        asleep = found.memory()
        assert found.heard() == []
        found.wake()
        expected = found.changes()
        assert len(expected) == 200 + CHANGES
        eventually(lambda: len(found.heard()) == len(expected))
        assert found.heard() == expected
        assert asleep - before < MOST
        assert found.memory() - before < MOST
