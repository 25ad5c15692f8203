"""The examples of docs/creation.md run, one after the other."""

import re
from pathlib import Path

import httpx
from support.created import GRAY, image
from support.server import OurServer

TEXT = (Path(__file__).parent.parent / "docs" / "creation.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_examples(our_server: OurServer) -> None:
    created = httpx.post(f"{our_server.url}/tools/create-dicom", json={"Tags": {}}).json()
    names = {
        "url": our_server.url,
        "study": created["ParentStudy"],
        "png": image("PNG", GRAY),
        "pdf": b"%PDF-1.4 even",
    }
    assert len(EXAMPLES) > 3
    for number, example in enumerate(EXAMPLES):
        exec(compile(example, f"docs/creation.md, example {number}", "exec"), names)
