"""The examples of docs/scripting.md run, and it knows every name of the module `orthanc`."""

import json
import re
import time
from pathlib import Path

import httpx
from scripting.test_lua_routing import StoreScp
from support import generated
from support.server import OurServer
from support.waiting import until

from orthanc_fast.scripting.python.enumerations import MEMBERS

TEXT = (Path(__file__).parent.parent / "docs" / "scripting.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
ALL_NAMES = """
import orthanc
import json
def names(output, uri, **request):
    output.AnswerBuffer(json.dumps([n for n in dir(orthanc) if n[0] != "_"]), "application/json")
orthanc.RegisterRestCallback("/names", names)
"""


def test_examples_in_lua(tmp_path: Path) -> None:
    """Each as a script of its own: the router, and the labels."""
    examples = re.findall(r"```lua\n(.*?)```", TEXT, re.DOTALL)
    scripts = []
    for number, example in enumerate(examples):
        script = tmp_path / f"{number}.lua"
        script.write_text(example)
        scripts.append(str(script))
    router, labels = scripts
    store = StoreScp()
    modalities = {"research": ["STORE", "127.0.0.1", store.port]}
    data = generated.small().number(1, 1, 1, 1)
    options = {"LuaScripts": [router], "DicomModalities": modalities}
    with (
        store.serving(),
        OurServer(tmp_path / "router", options) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        instance = client.post("/instances", content=data).json()["ID"]
        until(lambda: store.names() == ["Anonymous"])
        until(lambda: client.get("/instances").json() == [instance])
    with (
        OurServer(tmp_path / "labels", {"LuaScripts": [labels]}) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        study = client.post("/instances", content=data).json()["ParentStudy"]
        until(lambda: client.get(f"/studies/{study}/labels").json() == ["thorax"])


def _listed() -> list[str]:
    """The names of the module that the document gives a state: the first column of the table, and
    the lists of classes and enumerations below it."""
    module = TEXT.partition("## The module `orthanc`")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in module.splitlines() if line.startswith("| `")]
    lists = [
        paragraph
        for paragraph in module.split("\n\n")
        if paragraph.strip().startswith(("Classes: ", "Enumerations: "))
    ]
    return re.findall(r"`(\w+)`", "".join(rows + lists))


def test_examples(tmp_path: Path) -> None:
    """All of them as one script."""
    script = tmp_path / "examples.py"
    script.write_text("\n\n".join([*EXAMPLES, ALL_NAMES]))
    with (
        OurServer(tmp_path, {"PythonScript": str(script)}) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        names = client.get("/names").json()
        assert sorted(names) == sorted(_listed())
        assert set(MEMBERS) <= set(names)
        data = generated.small().number(1, 1, 1, 1)
        answer = client.post("/instances", content=data).json()
        modality = client.get(f"/series/{answer['ParentSeries']}").json()["MainDicomTags"][
            "Modality"
        ]
        assert client.get("/count-modalities").json() == {modality: 1}
        assert client.post("/count-modalities").status_code == 405
        deadline = time.monotonic() + 60
        while client.get(f"/series/{answer['ParentSeries']}/labels").json() != [modality]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        body = json.dumps({"Tags": {"PatientID": "PHANTOM"}})
        made = client.post("/tools/create-dicom", content=body).json()
        assert made.get("ID", "") == ""
        assert client.get("/statistics").json()["CountInstances"] == 1
