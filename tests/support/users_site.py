"""A server with users of every kind, and studies that not all of them see."""

import base64
from pathlib import Path
from typing import Any, Final

import httpx
from support import generated
from support.server import OurServer

from orthanc_fast.services.users.passwords import hashed

RIGHTS: Final = ("browse", "upload", "modify", "delete", "administrate")
PASSWORD: Final = "a password: with a colon"
HASHED: Final = "of the hash"

USERS: Final[dict[str, dict[str, Any]]] = {
    "reader": {"ReadOnly": True},
    "blue": {"Permissions": ["browse", "upload", "modify", "delete"], "Labels": ["blue", "azure"]},
    "nothing": {"Permissions": []},
    "editor": {"Permissions": ["browse", "modify"]},
    **{f"only-{right}": {"Permissions": [right]} for right in RIGHTS},
}
NAMES: Final = ("admin", *USERS)


def configuration(**more: Any) -> dict[str, Any]:
    return {
        "AuthenticationEnabled": True,
        "RegisteredUsers": dict.fromkeys(NAMES, PASSWORD),
        "Users": {**USERS, "hashed": {"ReadOnly": True, "PasswordHash": hashed(HASHED)}},
        "HttpWorkers": 2,
        "DicomServerEnabled": False,
        **more,
    }


def basic(name: str, password: str = PASSWORD) -> dict[str, str]:
    token = base64.b64encode(f"{name}:{password}".encode()).decode()
    return {"Authorization": f"Basic {token}"}


class Site:
    """Three patients: the first has a blue study and another one, the second a blue one only, the
    third none that is blue."""

    def __init__(self, folder: Path, **more: Any) -> None:
        self.server = OurServer(folder, configuration(**more))
        self.server.start()
        self.url = self.server.url
        self._clients: list[httpx.Client] = []
        self.admin = self.client("admin")
        template = generated.small()
        self.instances: list[dict[str, str]] = []
        for patient, number in ((1, 1), (1, 2), (2, 3), (3, 4)):
            for instance in (1, 2):
                data = template.number(patient, number, number, 10 * number + instance)
                answer = self.admin.post("/instances", content=data)
                assert answer.status_code == 200, answer.text
                self.instances.append(answer.json())
        self.seen = [self.instances[0]["ParentStudy"], self.instances[4]["ParentStudy"]]
        self.hidden = [self.instances[2]["ParentStudy"], self.instances[6]["ParentStudy"]]
        for study, label in ((self.seen[0], "blue"), (self.seen[1], "azure")):
            assert self.admin.put(f"/studies/{study}/labels/{label}").status_code == 200
        assert self.admin.put(f"/studies/{self.hidden[0]}/labels/red").status_code == 200

    def client(self, name: str = "", password: str = PASSWORD) -> httpx.Client:
        headers = basic(name, password) if name else {}
        client = httpx.Client(base_url=self.url, headers=headers, timeout=60)
        self._clients.append(client)
        return client

    def of_study(self, study: str) -> dict[str, str]:
        """What belongs to a study: identifiers by name of the level."""
        found = next(each for each in self.instances if each["ParentStudy"] == study)
        return {
            "patients": found["ParentPatient"],
            "studies": study,
            "series": found["ParentSeries"],
            "instances": found["ID"],
        }

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self.server.stop()
