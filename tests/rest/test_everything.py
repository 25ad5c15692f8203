"""One server with all that can be configured, used through each of its doors, then stopped."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
from rest.test_explorer_2 import copy_of
from scripting.test_lua_callbacks import c_store
from support import find_scu, generated
from support.find_scu import STUDY_ROOT, Element, FindScu
from support.ports import free_port
from support.server import OurServer
from support.waiting import until
from support.worklists import PATIENT_ID, SOP_CLASS, file, worklist

LUA: Final = """
local heard = io.open('FOLDER/heard-lua', 'a')
heard:setvbuf('no')
function ReceivedInstanceFilter(tags) return tags.PatientName ~= 'Nobody' end
function OnStoredInstance(id) heard:write(id, '\\n') end
"""

PYTHON: Final = """
import orthanc

heard = open("FOLDER/heard-python", "a", buffering=1)

def stored(instance, identifier):
    heard.write(identifier + "\\n")

def hello(output, uri, **request):
    output.AnswerBuffer("hello", "text/plain")

orthanc.RegisterOnStoredInstanceCallback(stored)
orthanc.RegisterRestCallback("/hello", hello)
"""

USERS: Final = {"admin": "of the admin", "red": "of the reds"}


def written(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def configuration(folder: Path, port: int, tenant: int) -> dict[str, Any]:
    page = "<!doctype html><html><head><title>page</title></head></html>"
    written(folder / "worklists" / "1.wl", file(worklist(1)))
    written(folder / "www" / "page.html", page)
    written(folder / "ohif" / "index.html", page)
    (folder / "out").mkdir()
    lua = written(folder / "script.lua", LUA.replace("FOLDER", str(folder)))
    python = written(folder / "site_script.py", PYTHON.replace("FOLDER", str(folder)))
    return {
        "LuaScripts": [str(lua)],
        "PythonScript": str(python),
        "Routing": {
            "Destinations": {"disk": {"Folder": str(folder / "out")}},
            "Rules": {"all": {"Destinations": ["disk"]}},
        },
        "Worklists": {"Enable": True, "Database": str(folder / "worklists")},
        "WebDavEnabled": True,
        "WebDavDeleteAllowed": True,
        "Housekeeper": {"Enable": True},
        "ServeFolders": {"/www": str(folder / "www")},
        "MultitenantDicom": {"Servers": [{"AET": "RED", "Port": tenant, "Labels": ["red"]}]},
        "DicomWeb": {"Enable": True},
        "OHIF": {"Folder": str(folder / "ohif")},
        "OrthancExplorer2": {"Folder": str(copy_of(folder / "explorer"))},
        "AuthenticationEnabled": True,
        "RegisteredUsers": USERS,
        "Users": {"red": {"ReadOnly": True, "Labels": ["red"]}},
        "DicomServerEnabled": True,
        "DicomPort": port,
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowFindWorklist": True,
        "StableAge": 1,
    }


def found(port: int, sop_class: str, elements: list[Element]) -> list[str]:
    """The patients of the answers to a C-FIND."""
    with FindScu(port, sop_class) as scu:
        outcome = scu.find(find_scu.encoded(elements))
    assert outcome.status == 0
    return sorted(str(find_scu.decoded(each).PatientID) for each in outcome.answers)


@contextmanager
def client_of(server: OurServer, user: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=120, auth=(user, USERS[user])) as client:
        yield client


def test_a_server_with_everything(tmp_path: Path) -> None:
    port, tenant = free_port(), free_port()
    server = OurServer(tmp_path / "server", configuration(tmp_path, port, tenant))
    small = generated.small()
    names = {number: f"PATIENT{number:010d}" for number in (1, 2, 3, 4)}
    queried: list[Element] = [(0x00080052, "CS", "STUDY"), (PATIENT_ID, "LO", "")]
    server.start(120)
    with client_of(server, "admin") as admin, client_of(server, "red") as red:
        stored = admin.post("/instances", content=small.number(1, 1, 1, 1))
        assert stored.status_code == 200, stored.text
        assert c_store(port, small.number(2, 2, 1, 1)) == 0
        assert c_store(tenant, small.number(3, 3, 1, 1)) == 0
        put = admin.put("/webdav/uploads/4.dcm", content=bytes(small.number(4, 4, 1, 1)))
        assert put.status_code == 201, put.text
        until(lambda: len(admin.get("/instances").json()) == 4)
        instances = set(admin.get("/instances").json())

        asked = {"Level": "Study", "Query": {"PatientID": "*"}, "Expand": True}
        answers = admin.post("/tools/find", json=asked).json()
        assert sorted(each["PatientMainDicomTags"]["PatientID"] for each in answers) == sorted(
            names.values()
        )
        assert found(port, STUDY_ROOT, queried) == sorted(names.values())
        assert found(tenant, STUDY_ROOT, queried) == [names[3]]
        assert found(port, SOP_CLASS, [(PATIENT_ID, "LO", "")]) == ["P1"]
        assert len(red.get("/studies").json()) == 1
        assert len(red.get("/dicom-web/studies").json()) == 1
        assert len(admin.get("/dicom-web/studies").json()) == 4

        listing = admin.request("PROPFIND", "/webdav/by-patients/", headers={"Depth": "1"})
        assert listing.status_code == 207
        assert all(name in listing.text for name in names.values())
        for path in ("/www/page.html", "/ohif/", "/ui/app/", "/app/explorer.html"):
            assert admin.get(path).status_code == 200, path
        assert admin.get("/hello").text == "hello"
        assert httpx.get(f"{server.url}/hello").status_code == 401

        for script in ("lua", "python"):
            heard = tmp_path / f"heard-{script}"
            until(lambda: set(heard.read_text().split()) == instances)  # noqa: B023
        until(lambda: len(list((tmp_path / "out").rglob("*.dcm"))) == 4)
        until(
            lambda: (
                len(admin.get("/changes", params={"type": "StableStudy"}).json()["Changes"]) == 4
            )
        )
    assert server.stop() == 0
    log = server.log_path.read_text()
    assert "Traceback" not in log
    told = re.findall("^[WE].*?:/ (.*)", log, re.MULTILINE)
    # What the housekeeper says, which works as soon as it finds what was stored before its start.
    assert {each for each in told if not each.startswith("Housekeeper: ")} == set()
