"""The examples of docs/routing.md: the configuration routes, the commands run, and answers have the
fields that are shown."""

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pydicom
from support import generated
from support.http_peer import HttpPeer
from support.server import OurServer
from support.sink import Sink

from orthanc_fast.config_routing import Destination, Rule

TEXT = (Path(__file__).parent.parent / "docs" / "routing.md").read_text()
COMMANDS = re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL)
EXAMPLE, STATE, TRIED = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
PATIENCE = 60.0


def fields(shown: Any, answered: Any) -> None:
    """Whatever their values are."""
    if isinstance(shown, dict):
        assert isinstance(answered, dict | None)
        if answered is not None:
            assert list(answered) == list(shown)
            for name, value in shown.items():
                fields(value, answered[name])
    elif isinstance(shown, list):
        fields(shown[0], answered[0])


def test_examples(tmp_path: Path) -> None:
    configuration = json.loads("{" + EXAMPLE + "}")
    (tmp_path / "exported").mkdir()
    with Sink() as sink, HttpPeer() as peer:
        configuration["DicomModalities"]["pacs"] = ["PACS", "127.0.0.1", sink.port]
        configuration["OrthancPeers"]["research"] = [peer.url]
        server = OurServer(tmp_path / "server", {**configuration, "StableAge": 3})
        server.config_path = tmp_path / "configuration.json"
        with server, httpx.Client(base_url=server.url, timeout=60) as client:
            instance = client.post("/instances", content=generated.small().number(1, 1, 1, 1))
            study = instance.json()["ParentStudy"]
            client.put(f"/studies/{study}/labels/trial").raise_for_status()
            states = _routed(client)
            assert (states["archive"]["Sent"], states["disk"]["Sent"]) == (1, 1)
            assert states["trial"]["Sent"] + states["trial"]["Pending"] == 1
            fields(json.loads(STATE), states["trial"])
            script = [
                "set -e",
                'curl() { command curl --fail "$@"; echo; }',
                f"SERVER={server.url}; STUDY={study}",
                *COMMANDS,
            ]
            run = subprocess.run(
                ["bash", "-c", "\n".join(script)], capture_output=True, text=True, timeout=60
            )
    assert run.returncode == 0, run.stderr
    tried = [json.loads(line) for line in run.stdout.splitlines() if line.startswith('{"Rule"')]
    fields(json.loads(TRIED), tried[0])
    assert [each["Results"][0]["Matches"] for each in tried] == [True, True]
    (file,) = (tmp_path / "exported").rglob("*.dcm")
    sent = pydicom.dcmread(file)
    assert (sent.PatientIdentityRemoved, sent.StudyDescription) == ("YES", "Thorax")
    assert len(sink.taken) == 1


def _routed(client: httpx.Client) -> dict[str, Any]:
    """The destinations as soon as the folder has its instance."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found: dict[str, Any] = client.get("/routing").json()["Destinations"]
        if found["disk"]["Sent"] and found["archive"]["Sent"]:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def test_every_field_is_named() -> None:
    for section in (Rule, Destination):
        for name in section.__struct_encode_fields__:
            assert f"`{name}`" in TEXT, name
