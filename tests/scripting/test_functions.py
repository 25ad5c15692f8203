"""The module `orthanc`: what each function gives, and with which exceptions it ends, is what
Orthanc's plugin gives to the same script."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
from support import generated
from support.scripted import Scripted, both

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


def test_tags_that_a_script_makes_known(needs_reference: None, tmp_path: Path) -> None:
    """Other processes know them too, also those that it makes known while they run."""
    with both(tmp_path, "functions.py", {"MetricsEnabled": True, "OrthancPeers": PEERS}) as servers:
        found = [_named(each) for each in servers]
        assert found[0] == found[1]
        assert found[0][0]["4011,1001"]["Name"] == "MyPrivate"
        made = [_made(each, "P3", {"MyPublic": "public"}) for each in servers]
        assert made[0] == made[1] == ["public"]
        for each in servers:
            assert each.client.get("/late").status_code == 200
        late = [_made(each, "P4", {"Late": "late"}) for each in servers]
        assert late[0] == late[1] == ["late"]


def _named(server: Scripted) -> list[Any]:
    """How an instance with these tags is shown."""
    data_set = pydicom.dcmread(BytesIO(generated.small().number(1, 1, 1, 1)))
    item = pydicom.Dataset()
    item.add_new(0x70080010, "LO", "nested")
    for tag, vr, value in (
        (0x40110010, "LO", "ME"),
        (0x40111001, "LO", "of a block"),
        (0x40111002, "LO", "of any block"),
        (0x40130010, "LO", "NOBODY"),
        (0x40131002, "LO", "of somebody"),
        (0x70080010, "LO", "public"),
        (0x70080011, "SQ", [item]),
        (0x70080012, "US", 7),
        (0x70080013, "LO", "unknown"),
    ):
        data_set.add_new(tag, vr, value)
    written = BytesIO()
    data_set.save_as(written)
    instance = server.client.post("/instances", content=written.getvalue()).json()["ID"]
    path = f"/instances/{instance}/tags"
    return [server.client.get(path + query).json() for query in ("", "?simplify", "?short")]


def _made(server: Scripted, patient: str, tags: dict[str, str]) -> list[str]:
    """The value of the only tag of an instance that is made with it, and found by it."""
    ((name, value),) = tags.items()
    body = {"Tags": {"PatientID": patient, **tags}}
    made = server.client.post("/tools/create-dicom", json=body)
    assert made.status_code == 200, made.text
    query = {"PatientID": patient, name: value[:2].upper() + "*"}
    wanted = {"Level": "Instance", "Query": query, "RequestedTags": [name], "Expand": True}
    found = server.client.post("/tools/find", json=wanted).json()
    return [each["RequestedTags"][name] for each in found]


def test_all_names(needs_reference: None, tmp_path: Path) -> None:
    with both(tmp_path, "names.py") as (ours, theirs):
        found, wanted = (each.client.get("/names").json() for each in (ours, theirs))
        plugins = [each.client.get("/plugins/python").json() for each in (ours, theirs)]
        assert "python" in ours.client.get("/plugins").json()
    assert found == wanted
    assert len(found) > 140
    assert plugins[0] == plugins[1]
