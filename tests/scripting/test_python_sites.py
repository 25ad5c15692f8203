"""A script in Python as a site writes it, with a module for each of its parts, on Orthanc 1.13 with
its plugin and here: what it answers, sees and does is the same. It is written after the reference's
chapter 7 alone."""

import json
import shutil
from pathlib import Path
from typing import Any

import httpx
from pydicom import Dataset
from pynetdicom import AE
from scripting.test_lua_callbacks import file_with
from scripting.test_lua_routing import WORKLISTS
from support.ports import free_port
from support.reference_server import ReferenceServer
from support.scripted import PLUGIN, START
from support.server import OurServer
from support.waiting import until

SITE = Path(__file__).with_name("sites") / "python"
PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
ORDERS = [
    {"number": "5", "patient": "P5", "name": "Doe^Jane", "modality": "CT", "date": "20260101"},
    {"number": "6", "patient": "P6", "name": "Roe^Ann", "modality": "MR", "date": "20260102"},
    {"number": "7", "patient": "P7", "name": "Döe^Jörg", "modality": "CT", "date": "20260103"},
]


def options(folder: Path) -> dict[str, Any]:
    """The configuration, and the script in its place."""
    shutil.copytree(SITE, folder / "site")
    (folder / "orders.json").write_text(json.dumps(ORDERS))
    return {
        "PythonScript": str(folder / "site" / "north.py"),
        "Site": {"Name": "North", "Orders": str(folder / "orders.json")},
        "DicomServerEnabled": True,
        "DicomPort": free_port(),
        "DicomAlwaysAllowFindWorklist": True,
        "DicomModalities": {"down": ["DOWN", "127.0.0.1", 1]},
        "StableAge": 1,
        "DefaultEncoding": "Utf8",
    }


def notes(client: httpx.Client) -> list[Any]:
    found: list[Any] = client.get("/site/notes").json()
    return found


def asked(response: httpx.Response) -> tuple[int, str, str | None, str | None]:
    kept = [response.headers.get(name) for name in ("x-site", "set-cookie")]
    text = response.text if response.status_code < 500 else ""
    return response.status_code, text, kept[0], kept[1]


def worklist(port: int, **keys: str) -> list[str]:
    query = Dataset()
    query.SpecificCharacterSet = "ISO_IR 192"
    query.PatientName = keys.get("PatientName", "")
    query.PatientID = ""
    query.StudyInstanceUID = ""
    step = Dataset()
    step.Modality = keys.get("Modality", "")
    step.ScheduledProcedureStepStartDate = keys.get("Date", "")
    query.ScheduledProcedureStepSequence = [step]
    ae = AE("CT01")
    ae.add_requested_context(WORKLISTS, ["1.2.840.10008.1.2.1"])
    association = ae.associate("127.0.0.1", port, ae_title="CALLED")
    assert association.is_established
    answers = [str(each) for _, each in association.send_c_find(query, WORKLISTS) if each]
    association.release()
    return sorted(answers)


def visit(client: httpx.Client, port: int) -> Any:
    """What a day at the site asks."""
    until(lambda: any(each[0] == "started" for each in notes(client)))
    found: list[Any] = []
    for number, modality in enumerate(("CT", "MR"), start=1):
        data = file_with(number, Modality=modality, StudyDescription=f"Study {number}")
        found.append(client.post("/instances", content=data).json())
    until(lambda: [each[0] for each in notes(client)].count("unknown") == 2)
    answers = []
    for stored in found:
        study, series, instance = (stored[name] for name in ("ParentStudy", "ParentSeries", "ID"))
        answers += [
            asked(client.get(f"/site/studies/{study}/summary")),
            asked(client.get(f"/site/series/{series}/summary?tags=Modality,Nope")),
            asked(client.post(f"/site/series/{series}/summary", content=b"")),
            asked(client.get(f"/site/{instance}/image")),
            asked(client.get(f"/studies/{study}/metadata/1024")),
        ]
    study = found[0]["ParentStudy"]
    answers += [
        asked(client.get("/site/studies/0/summary")),
        asked(client.get("/site/page", headers={"X-User": "alice"})),
        asked(client.post("/site/search", json={"StudyDescription": "Study*"})),
        asked(client.get("/site/search")),
        asked(client.post("/site/search", content=b"{")),
        asked(client.get("/site/nothing")),
        asked(client.get("/statistics")),
        asked(client.post(f"/site/studies/{study}/report", content=PDF)),
        asked(client.post(f"/site/studies/{study}/capture", content=b"")),
        asked(client.post(f"/site/studies/{study}/jobs", content=b"")),
    ]
    until(lambda: any(each[0] == "failure" for each in notes(client)))
    # A study that has got something is complete once more, and the picture is in one of its own.
    until(lambda: [each[0] for each in notes(client)].count("unknown") == 4)
    lists = [
        worklist(port),
        worklist(port, Modality="CT"),
        worklist(port, PatientName="D*", Date="20260101-20260102"),
        worklist(port, Modality="US"),
    ]
    return answers, lists


def test_the_script_of_a_site(needs_reference: None, tmp_path: Path) -> None:
    results, told = [], []
    for kind in (OurServer, ReferenceServer):
        folder = tmp_path / kind.__name__
        given = options(folder)
        server = (
            ReferenceServer(folder / "server", given, (PLUGIN,))
            if kind is ReferenceServer
            else OurServer(folder / "server", given)
        )
        server.start(START)
        try:
            with httpx.Client(base_url=server.url, timeout=60) as client:
                results.append(visit(client, given["DicomPort"]))
                told.append(notes(client))
        finally:
            server.__exit__()
    for ours, theirs in zip(results[0][0], results[1][0], strict=True):
        assert ours == theirs
    assert results[0][1] == results[1][1]
    texts = [json.dumps(each).replace("OurServer", "ReferenceServer") for each in told[0]]
    # Threads of their own tell them, in any order.
    assert sorted(texts) == sorted(json.dumps(each) for each in told[1])
