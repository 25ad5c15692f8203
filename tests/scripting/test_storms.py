"""Changes that come while a script sleeps."""

from pathlib import Path

import pytest
from support.storm import Language, storm
from support.waiting import until

CHANGES = 4000
CLIENTS = 4
# All processes together; what their allocators and caches do in any case is in it. `python -m bench
# storm` has 100,000 changes, which must not take more either.
MOST = 24  # MB


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
        until(lambda: len(found.heard()) == len(expected))
        assert found.heard() == expected
        grown = [(each - before) >> 20 for each in (asleep, found.memory())]
        assert max(grown) < MOST, grown
