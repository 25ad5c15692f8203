"""The examples of docs/anonymization.md run."""

import re
from pathlib import Path

import httpx
import pytest
from support import generated
from support.server import OurServer

TEXT = (Path(__file__).parent.parent / "docs" / "anonymization.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture(scope="module")
def names(our_server: OurServer) -> dict[str, str]:
    with httpx.Client(base_url=our_server.url, timeout=60) as client:
        for number in range(2):
            data = generated.small().number(62, 62, 62, number)
            stored = client.post("/instances", content=data).json()
    return {
        "url": our_server.url,
        "study": stored["ParentStudy"],
        "series": stored["ParentSeries"],
        "instance": stored["ID"],
    }


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 6


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_examples(names: dict[str, str], number: int) -> None:
    code = compile(EXAMPLES[number], f"docs/anonymization.md, example {number}", "exec")
    exec(code, dict(names))
