"""What the SCP accepts as the configuration says, as REST has changed it, and as it is told."""

from pathlib import Path
from typing import Any

import pytest

from orthanc_fast.config import Settings
from orthanc_fast.config_plugins import worklists
from orthanc_fast.errors import ForbiddenAccess
from orthanc_fast.model import Caller
from orthanc_fast.runtime.memory import MemoryRuntime
from orthanc_fast.services.scp.conformance_statement import conformance_statement
from orthanc_fast.services.scp.policy import ScpPolicy, SessionPolicy
from orthanc_fast.services.scp.sop_classes import STORAGE
from orthanc_fast.services.scp.transfer_syntaxes import KNOWN

CT = "1.2.840.10008.5.1.4.1.1.2"
RLE = "1.2.840.10008.1.2.5"
EXPLICIT = "1.2.840.10008.1.2.1"


def test_the_default_is_everything_that_is_known() -> None:
    policy = ScpPolicy({})
    assert policy.syntaxes() == set(KNOWN)
    assert policy.storage_classes == set(STORAGE)
    assert not policy.unknown_accepted()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"AcceptedTransferSyntaxes": EXPLICIT}, {EXPLICIT}),
        ({"AcceptedTransferSyntaxes": [EXPLICIT, "nothing"]}, {EXPLICIT}),
        ({"AcceptedTransferSyntaxes": []}, set()),
        ({"RleTransferSyntaxAccepted": False}, set(KNOWN) - {RLE}),
        (
            {"AcceptedTransferSyntaxes": EXPLICIT, "RleTransferSyntaxAccepted": True},
            {EXPLICIT, RLE},
        ),
    ],
)
def test_options_of_transfer_syntaxes(raw: dict[str, Any], expected: set[str]) -> None:
    assert ScpPolicy(raw).syntaxes() == expected


@pytest.mark.parametrize("option", ["RejectedSopClasses", "RejectSopClasses"])
def test_options_of_classes(option: str) -> None:
    """The older name of an option holds as well."""
    assert CT not in ScpPolicy({option: [CT]}).storage_classes
    assert ScpPolicy({"AcceptedSopClasses": CT}).storage_classes == {CT}
    assert ScpPolicy({"UnknownSopClassAccepted": True}).unknown_accepted()


def test_what_rest_changes_holds_in_all_processes_until_the_end(caller: Caller) -> None:
    runtime, raw = MemoryRuntime(), {"AcceptedTransferSyntaxes": [EXPLICIT]}
    here, there = SessionPolicy(raw, runtime), SessionPolicy(raw, runtime)
    here.accept(caller, ["*.5", "1.2.3"])
    here.accept_unknown(caller, True)
    assert there.syntaxes() == {RLE}
    assert there.unknown_accepted()
    there.accept(caller, [])
    assert here.syntaxes() == set()
    fresh = SessionPolicy(raw, MemoryRuntime())
    assert fresh.syntaxes() == {EXPLICIT}
    assert not fresh.unknown_accepted()


def test_a_caller_of_some_labels_changes_nothing() -> None:
    guest = Caller(origin="RestApi", labels=frozenset({"public"}))
    policy = SessionPolicy({}, MemoryRuntime())
    with pytest.raises(ForbiddenAccess):
        policy.accept(guest, [])
    assert policy.syntaxes() == set(KNOWN)


def sections(text: str) -> dict[str, list[str]]:
    """The lines below each title."""
    found: dict[str, list[str]] = {}
    lines = text.splitlines()
    for at, line in enumerate(lines[2:], 2):
        if line and set(line) == {"-"} and set(lines[at - 2]) == {"-"}:
            found[lines[at - 1]] = []
        elif found:
            next(reversed(found.values())).append(line)
    return found


def rows(lines: list[str]) -> dict[str, str]:
    """What stands right of the bar by what stands left of it."""
    pairs = [line.split(" | ") for line in lines if " | " in line]
    return {name.strip(): value for name, value in pairs}


def test_the_statement_says_what_is_accepted() -> None:
    runtime = MemoryRuntime()
    raw = {"AcceptedSopClasses": [CT], "MaximumPduLength": 20000, "DicomCheckCalledAet": True}
    policy = SessionPolicy(raw, runtime)
    settings = Settings(dicom_server_enabled=True, dicom_aet="HERE", dicom_port=104, raw=raw)
    found = sections(conformance_statement(settings, policy))
    entity = rows(found["Application entity"])
    assert (entity["Title"], entity["Port"]) == ("HERE", "104")
    assert entity["Greatest PDU that is received"] == "20000 bytes"
    assert entity["Called title is checked"] == "yes"
    sending = rows(found["Storage service class: SCU of C-STORE"])
    assert EXPLICIT in sending.values()
    storage = rows(found["Storage service class: SCP of C-STORE"])
    assert storage["CT Image Storage"] == CT
    assert storage["RLE Lossless"] == RLE
    assert [uid for uid in storage.values() if uid in STORAGE] == [CT]
    SessionPolicy(raw, runtime).accept(Caller(origin="RestApi"), [EXPLICIT])
    later = rows(sections(conformance_statement(settings, policy))[
        "Storage service class: SCP of C-STORE"
    ])  # fmt: skip
    assert list(later.values()) == [CT, EXPLICIT]


def test_the_statement_of_a_server_without_dicom() -> None:
    text = conformance_statement(Settings(dicom_server_enabled=False), ScpPolicy({}))
    assert rows(sections(text)["Application entity"])["Port"] == "none"
    assert "switched off" in text
    assert "SCP of C-STORE" not in text
    assert "SCU of C-STORE" in text


def test_worklists_stand_in_the_statement_where_they_are_enabled() -> None:
    title = "Basic worklist management service class: SCP of C-FIND"
    assert title not in sections(conformance_statement(Settings(), ScpPolicy({})))
    options = worklists({"Enable": True, "Directory": "a", "LimitAnswers": 7}, Path())
    found = sections(conformance_statement(Settings(worklists=options), ScpPolicy({})))
    assert "LimitAnswers (7)" in "".join(found[title])
