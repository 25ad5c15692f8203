"""The module `orthanc`: what each function gives, and with which exceptions it ends, is what
Orthanc's plugin gives to the same script."""

from pathlib import Path
from typing import Any

from support.scripted import both

PEERS = {"p": {"Url": "http://localhost:1/x", "Extra": "more"}}


def test_all_functions(needs_reference: None, tmp_path: Path) -> None:
    configuration: dict[str, Any] = {"MetricsEnabled": True, "OrthancPeers": PEERS}
    with both(tmp_path, "functions.py", configuration) as (ours, theirs):
        found, wanted = (each.client.get("/results").json() for each in (ours, theirs))
    assert [case for case, _ in found] == [case for case, _ in wanted]
    assert len(found) > 100
    different = {
        case: (own, other)
        for (case, own), (_, other) in zip(found, wanted, strict=True)
        if own != other
    }
    assert different == {}


def test_all_names(needs_reference: None, tmp_path: Path) -> None:
    with both(tmp_path, "names.py") as (ours, theirs):
        found, wanted = (each.client.get("/names").json() for each in (ours, theirs))
        plugins = [each.client.get("/plugins/python").json() for each in (ours, theirs)]
        assert "python" in ours.client.get("/plugins").json()
    assert found == wanted
    assert len(found) > 140
    assert plugins[0] == plugins[1]
