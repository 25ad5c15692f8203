"""Names inside archives: what no client may be surprised by."""

import pytest

from orthanc_fast.model import Level
from orthanc_fast.services.archive.names import (
    PATIENT_ID,
    STUDY_DESCRIPTION,
    Folder,
    file_name,
    folder_name,
    joined,
)


@pytest.mark.parametrize("name", [".", "..", " .. ", "*..*"])
def test_no_folder_leads_out_of_the_archive(name: str) -> None:
    assert folder_name(Level.PATIENT, {PATIENT_ID: name}, True) == "Unknown Patient"
    assert folder_name(Level.STUDY, {STUDY_DESCRIPTION: name}, False) == "Unknown Study"


def test_a_number_that_was_given_is_not_given_again() -> None:
    """Orthanc makes two folders `x-2` of these."""
    folder = Folder()
    assert [folder.unique(name) for name in ("x", "x", "x", "x-2", "x-2", "x")] == [
        "x",
        "x-2",
        "x-3",
        "x-2-2",
        "x-2-3",
        "x-4",
    ]


def test_files() -> None:
    assert file_name("ct", 7, False) == "CT000007.dcm"
    assert file_name("", 4294967295, False) == "4294967295.dcm"
    assert joined(["", "a", "", "b"]) == "/a/b"
