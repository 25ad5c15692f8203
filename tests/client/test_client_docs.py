"""The examples of docs/client.md run, one after the other."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.client_files import make_files
from support.server import OurServer

TEXT = (Path(__file__).parents[2] / "docs" / "client.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("folder")
    make_files(folder)
    with OurServer(tmp_path_factory.mktemp("documented")) as server:
        yield {
            "url": server.url,
            "folder": folder,
            "file": (folder / "1-0.dcm").read_bytes(),
        }


def test_examples(names: dict[str, Any]) -> None:
    """In their order: a later one finds what an earlier one has stored."""
    assert len(EXAMPLES) == 7
    for number, example in enumerate(EXAMPLES):
        exec(compile(example, f"docs/client.md, example {number}", "exec"), dict(names))
