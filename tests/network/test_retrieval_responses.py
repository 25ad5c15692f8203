"""The responses of C-MOVE and C-GET themselves, whatever is sent; and C-GET over TLS."""

import ssl
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE
from support import generated
from support.certificates import Authority
from support.dicom_door import Shelf, serving
from support.ports import free_port
from support.retrieving import STUDY_GET, STUDY_MOVE, get, identifier
from support.server import OurServer

from orthanc_fast.network.retrieval import Retrieve
from orthanc_fast.services.query_retrieve.retrieval import Outcome, Retrieval, SubOperation
from orthanc_fast.upper_layer import dimse


class Failing(Retrieval):
    """Sub-operations that all fail but the first."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.uids = [f"1.2.{'3' * 50}.{1_000_000 + number}" for number in range(count)]

    @property
    def count(self) -> int:
        return self._count

    def is_cancelled(self) -> bool:
        return False

    def run(self) -> Generator[SubOperation]:
        yield SubOperation(Outcome.COMPLETED, self.uids[0])
        for uid in self.uids[1:]:
            yield SubOperation(Outcome.FAILED, uid)


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian]
)
@pytest.mark.parametrize("count", [2, 1500])
def test_the_list_of_failures(tmp_path: Path, syntax: str, count: int) -> None:
    """Also one that is longer than the 65,534 bytes of a UI in explicit VR."""
    failing = Failing(count)
    took: list[float] = []

    def meter(seconds: float) -> None:
        took.append(seconds)

    retrieve = Retrieve("C-MOVE", lambda operation, caller: failing, meter, tells_last=False)
    operations = {STUDY_MOVE: {dimse.C_MOVE_RQ: retrieve}}
    with serving(Shelf(tmp_path), operations=operations, DicomAlwaysAllowMove=True) as door:
        ae = AE(ae_title="CLIENT")
        ae.add_requested_context(STUDY_MOVE, syntax)
        association = ae.associate("127.0.0.1", door.port)
        asked = identifier("STUDY", StudyInstanceUID="1.2")
        *pending, (status, found) = association.send_c_move(asked, "SINK", STUDY_MOVE)
        association.release()
    assert len(pending) == count - 1
    assert status.Status == 0xB000
    assert status.NumberOfFailedSuboperations == count - 1
    assert found is not None
    assert listed(found) == failing.uids[1:]
    assert len(took) == 1


def listed(found: Dataset) -> list[str]:
    """The UIDs of the list, which may have come as UN."""
    value = found[0x00080058].value
    if isinstance(value, bytes):
        value = value.rstrip(b"\0").decode().split("\\")
    return [value] if isinstance(value, str) else list(value)


def test_a_get_over_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server")
    port = free_port()
    configuration = {
        "DicomServerEnabled": True,
        "DicomPort": port,
        "DicomWorkers": 1,
        "DicomAlwaysAllowGet": True,
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(certificate),
        "DicomTlsPrivateKey": str(key),
        "DicomTlsRemoteCertificateRequired": False,
    }
    context = ssl.create_default_context(cafile=str(authority.certificate))
    context.check_hostname = False
    slices = [generated.ct_slice().number(1, 1, 1, number) for number in range(3)]
    with OurServer(tmp_path / "server", configuration) as server:
        for data in slices:
            httpx.post(f"{server.url}/instances", content=data).raise_for_status()
        asked = identifier("STUDY", StudyInstanceUID=f"{generated.ROOT}.4{1:09d}")
        contexts = [(generated.CT, (ExplicitVRLittleEndian,))]
        found = get(port, asked, contexts, model=STUDY_GET, tls=context)
    assert found.final.status == 0
    assert all(any(data.endswith(each.data_set) for data in slices) for each in found.received)
    assert len(found.received) == 3


def test_we_get_over_tls(tmp_path: Path) -> None:
    """From another server of ours, which knows us by our certificate."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue("both")
    port = free_port()
    common = {
        "DicomTlsCertificate": str(certificate),
        "DicomTlsPrivateKey": str(key),
        "DicomTlsTrustedCertificates": str(authority.certificate),
    }
    archive = {
        **common,
        "DicomServerEnabled": True,
        "DicomPort": port,
        "DicomWorkers": 1,
        "DicomAlwaysAllowGet": True,
        "DicomTlsEnabled": True,
    }
    modality = {"AET": "ARCHIVE", "Host": "127.0.0.1", "Port": port, "UseDicomTls": True}
    slices = [generated.ct_slice().number(1, 1, 1, number) for number in range(3)]
    wanted = {
        "Level": "Study",
        "Resources": [{"StudyInstanceUID": f"{generated.ROOT}.4{1:09d}"}],
        "RetrieveMethod": "C-GET",
    }
    with (
        OurServer(tmp_path / "archive", archive) as far,
        OurServer(tmp_path / "near", {**common, "DicomModalities": {"far": modality}}) as near,
    ):
        for data in slices:
            httpx.post(f"{far.url}/instances", content=data).raise_for_status()
        answer = httpx.post(f"{near.url}/modalities/far/get", json=wanted, timeout=60)
        assert answer.status_code == 200, answer.text
        found = httpx.get(f"{near.url}/instances").json()
        assert sorted(found) == sorted(httpx.get(f"{far.url}/instances").json())
        for each in found:
            paths = [f"{server.url}/instances/{each}/attachments/dicom" for server in (near, far)]
            ours, theirs = (httpx.get(f"{path}/data").content for path in paths)
            assert ours.endswith(theirs[-len(slices[0]) // 2 :])
