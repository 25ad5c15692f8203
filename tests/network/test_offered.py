"""What a server negotiates is what its conformance statement says."""

import re
from pathlib import Path

from support.ports import free_port

from orthanc_fast.config import Settings
from orthanc_fast.network.offered import handlers_of, operations_of
from orthanc_fast.services.processes.dicom import DicomServices
from orthanc_fast.services.scp import sop_classes
from orthanc_fast.services.scp.conformance_statement import conformance_statement
from orthanc_fast.transfer_syntaxes import SYNTAXES

FIND, MOVE, GET = ("1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.2.2",
                   "1.2.840.10008.5.1.4.1.2.2.3")  # fmt: skip


def named(statement: str, role: str) -> set[str]:
    """The UIDs in the sections of a role, without those of transfer syntaxes."""
    sections = re.split(r"\n\n-+\n(?=.*service class: )", statement)
    lines = [each for each in sections if f"service class: {role}" in each.partition("\n")[0]]
    found = set(re.findall(r"\| (1\.2\.840\.10008\.[\d.]+)$", "\n".join(lines), re.MULTILINE))
    return found - SYNTAXES.keys()


def test_the_statement_names_what_is_negotiated(tmp_path: Path) -> None:
    settings = Settings(
        storage_directory=tmp_path,
        index_directory=tmp_path,
        index_map_size_gb=1,
        dicom_server_enabled=True,
        dicom_port=free_port(),
    )
    services = DicomServices(settings, "test")
    try:
        handled = {*operations_of(services), *handlers_of(services)}
        statement = conformance_statement(settings, services.scp_policy)
    finally:
        services.close()
    stored = services.scp_policy.storage_classes
    assert named(statement, "SCP") - stored == {*handled, sop_classes.VERIFICATION}
    assert {FIND, MOVE, GET, sop_classes.STORAGE_COMMITMENT} <= handled
    assert named(statement, "SCU") == {
        *(sop_classes.VERIFICATION, sop_classes.WORKLIST_FIND, sop_classes.STORAGE_COMMITMENT),
        *sop_classes.QUERY_RETRIEVE_FIND,
        *sop_classes.QUERY_RETRIEVE_MOVE,
        *sop_classes.QUERY_RETRIEVE_GET,
    }
