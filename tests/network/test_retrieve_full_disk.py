"""A disk that becomes full while instances are retrieved."""

from pathlib import Path

import httpx
import pytest
from support import generated
from support.ports import free_port
from support.retrieve_scp import RetrieveScp, sending, sent_elsewhere
from support.server import OurServer
from support.small_disk import small_disk

FILES = [generated.ct_slice().number(1, 1, 1, number) for number in range(16)]


@pytest.mark.parametrize("way", ["get", "move"])
def test_a_full_disk(tmp_path: Path, way: str) -> None:
    """The peer hears which instances are not stored, and the job says how many came; nothing is
    left of the others."""
    port = free_port()
    scp = RetrieveScp()
    scp.aet = "OURS"  # pynetdicom names itself where our title belongs
    scp.get, scp.move = sending(*FILES), sent_elsewhere(port, *FILES)
    with small_disk(tmp_path / "small", 5) as storage, scp.serving():
        options = {
            "DicomAet": "OURS",
            "DicomServerEnabled": True,
            "DicomPort": port,
            "StorageDirectory": str(storage),
            "IndexDirectory": str(tmp_path / "index"),
            "DicomModalities": {"scp": ["SCP", "127.0.0.1", scp.port]},
        }
        with OurServer(tmp_path / "server", options) as server:
            answer = httpx.post(
                f"{server.url}/modalities/scp/{way}",
                json={"Level": "Study", "Resources": [{"StudyInstanceUID": "1.2"}]},
                timeout=60,
            )
            told = answer.json()
            assert (answer.status_code, told["OrthancStatus"]) == (500, 9)
            assert told["Details"].endswith("has failed with DIMSE status 0xB000")
            (detail,) = told["ErrorPayload"]["Content"]
            received = detail["ReceivedInstancesIds"]
            assert sorted(httpx.get(f"{server.url}/instances").json()) == received
            assert 4 < len(received) < len(FILES)
            assert len(received) + len(detail["FailedInstancesUids"]) == len(FILES)
            files = [path for path in storage.glob("*/*/*") if path.is_file()]
            assert len(files) == len(received), "nothing of the refused ones is left"
