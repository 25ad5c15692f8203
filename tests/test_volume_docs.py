"""The examples of docs/volumes.md run."""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from support import generated
from support.server import OurServer

TEXT = (Path(__file__).parent.parent / "docs" / "volumes.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Of a server of their own: one of the examples pulls every series that there is."""
    with OurServer(tmp_path_factory.mktemp("documented")) as server:
        yield _stored(server.url)


def _stored(url: str) -> dict[str, str]:
    with httpx.Client(base_url=url, timeout=60) as client:
        for place in range(3):
            dataset = generated.base()
            generated.add_pixels(dataset, np.full((20, 30), place, "<i2"))
            dataset.ImagePositionPatient = [0, 0, place]
            buffer = io.BytesIO()
            dataset.save_as(buffer, enforce_file_format=True)
            data = generated.Template(buffer.getvalue()).number(61, 61, 61, place)
            stored = client.post("/instances", content=data).json()
    return {
        "url": url,
        "series": stored["ParentSeries"],
        "study": stored["ParentStudy"],
    }


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_examples(names: dict[str, str], number: int) -> None:
    code = compile(EXAMPLES[number], f"docs/volumes.md, example {number}", "exec")
    exec(code, dict(names))
