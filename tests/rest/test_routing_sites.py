"""Sites of routing servers: two that send to each other, and one that only speaks DICOM."""

import json
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pydicom
from support import generated
from support.ports import free_port, wait_for_port
from support.server import OurServer
from support.waiting import until

PATIENCE = 120.0


def test_two_servers_that_send_to_each_other_do_not_go_on_for_ever(tmp_path: Path) -> None:
    """Also where what is stored already is stored again."""
    ports = {"A": free_port(), "B": free_port()}
    with ExitStack() as stack:
        clients = {}
        for own, other in (("A", "B"), ("B", "A")):
            configuration = {
                "DicomServerEnabled": True,
                "DicomAet": own,
                "DicomPort": ports[own],
                "OverwriteInstances": True,
                "DicomModalities": {"other": [other, "127.0.0.1", ports[other]]},
                "Routing": {
                    "Destinations": {"other": {"Modality": "other", "FirstPause": 0.1}},
                    "Rules": {"all": {"Destinations": ["other"]}},
                },
            }
            server = stack.enter_context(OurServer(tmp_path / own, configuration))
            clients[own] = stack.enter_context(httpx.Client(base_url=server.url, timeout=60))

        def state(own: str) -> dict[str, Any]:
            found: dict[str, Any] = clients[own].get("/routing/destinations/other").json()
            return found

        template = generated.small()
        for number in range(3):
            content = template.number(1, 1, 1, number)
            clients["A"].post("/instances", content=content).raise_for_status()
        until(lambda: state("B")["NotSentBack"] == 3)
        until(lambda: state("A")["Pending"] == state("B")["Pending"] == 0)
        assert [state(own)["Sent"] for own in "AB"] == [3, 0]
        for client in clients.values():
            log = client.get("/changes?limit=1000").json()["Changes"]
            assert sum(each["ChangeType"] == "NewInstance" for each in log) == 3


def test_a_server_without_http_routes_too(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "out").mkdir()
    server = OurServer(
        tmp_path / "server",
        {
            "HttpServerEnabled": False,
            "DicomServerEnabled": True,
            "DicomPort": port,
            "DicomAlwaysAllowStore": True,
            "Routing": {
                "Destinations": {"disk": {"Folder": str(tmp_path / "out")}},
                "Rules": {"all": {"Destinations": ["disk"]}},
            },
        },
    )
    server.config_path.write_text(json.dumps(server.configuration))
    with server.log_path.open("wb") as log:
        server.process = subprocess.Popen(server.arguments(), stdout=log, stderr=log)
    try:
        wait_for_port(port)
        (tmp_path / "file.dcm").write_bytes(generated.small().number(1, 1, 1, 1))
        command = ["storescu", "127.0.0.1", str(port), str(tmp_path / "file.dcm")]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        until(lambda: list((tmp_path / "out").rglob("*.dcm")))
    finally:
        assert server.stop(60) == 0
    (file,) = (tmp_path / "out").rglob("*.dcm")
    assert pydicom.dcmread(file).PatientID.startswith("PATIENT")
