"""The scrubber of a running server: what it finds is told by REST, in metrics and in the log."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
from support import generated
from support.server import OurServer
from support.waiting import until

# Rounds that follow each other within a second.
EAGER = {"Scrubber": {"Enable": True, "Days": 1e-6, "MegabytesPerSecond": 1000}}


def scrubbed(server: OurServer) -> Any:
    return httpx.get(f"{server.url}/tools/scrubber").raise_for_status().json()


def figures(server: OurServer) -> dict[str, float]:
    lines = httpx.get(f"{server.url}/tools/metrics-prometheus").text.splitlines()
    return {name: float(value) for name, value, _ in (line.split() for line in lines)}


def test_damage_is_told_and_stays_known(tmp_path: Path) -> None:
    template = generated.small()
    with OurServer(tmp_path, EAGER) as server:
        for number in range(3):
            data = template.number(1, 1, 1, number)
            httpx.post(f"{server.url}/instances", content=data).raise_for_status()
        until(lambda: (scrubbed(server)["LastRound"] or {}).get("Files") == 3)
        assert scrubbed(server)["Damaged"] == []
        assert figures(server)["orthanc_damaged_files_count"] == 0
        damaged, *_ = sorted((tmp_path / "storage").glob("??/??/*"))
        damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
        (found,) = until(lambda: scrubbed(server)["Damaged"])
        assert (found["Uuid"], found["Kind"]) == (damaged.name, "checksum")
        assert (found["PatientID"], found["StudyDescription"]) == ("PATIENT0000000001", "Thorax")
        assert found["ID"] in httpx.get(f"{server.url}/instances").json()
        assert figures(server)["orthanc_damaged_files_count"] == 1
        log = server.log_path.read_text()
        assert f"the file {damaged.name} is damaged" in log
        assert "patient PATIENT0000000001" in log and "Thorax" in log
        assert damaged.exists()
    with OurServer(tmp_path) as server:
        again = scrubbed(server)
        assert (again["Enabled"], [each["Uuid"] for each in again["Damaged"]]) == (
            False,
            [damaged.name],
        )
        assert again["LastRound"]["Damaged"] == 1
        damaged.write_bytes(damaged.read_bytes()[:-1])
        command = [sys.executable, "-m", "orthanc_fast.cli", "check", "--deep"]
        checked = subprocess.run(
            [*command, str(server.config_path)], capture_output=True, text=True, timeout=120
        )
        assert checked.returncode == 1
        assert "patient PATIENT0000000001 (Test^Person), study " in checked.stdout
        assert [each["Kind"] for each in scrubbed(server)["Damaged"]] == ["size"]
