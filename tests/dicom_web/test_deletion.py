"""DELETE of studies, series and instances, which the plugin does not have."""

from pathlib import Path

import httpx
import pytest
from support import generated
from support.server import OurServer
from support.stow import body, instance, post

STUDY = f"{generated.ROOT}.70"
PATHS = (f"studies/{STUDY}", f"studies/{STUDY}/series/{STUDY}.1")


def count(client: httpx.Client, study: str = STUDY) -> int:
    query = {"Level": "Instance", "Query": {"StudyInstanceUID": study}}
    return len(client.post("/tools/find", json=query).json())


@pytest.fixture(autouse=True)
def nothing_of_others(ours: httpx.Client) -> None:
    """The server is shared: other modules may have stored into these studies."""
    for number in (70, 71, 72):
        delete(ours, f"studies/{generated.ROOT}.{number}")
        assert count(ours, f"{generated.ROOT}.{number}") == 0


def delete(client: httpx.Client, path: str) -> int:
    answer = client.delete(f"/dicom-web/{path}")
    if answer.status_code == 204:
        assert answer.content == b""
    return answer.status_code


def test_instance(ours: httpx.Client) -> None:
    post(ours, body(instance(1, 70), instance(2, 70)))
    path = f"{PATHS[1]}/instances/{STUDY}.1.1"
    assert delete(ours, path) == 204
    assert count(ours) == 1
    assert delete(ours, path) == 404
    # The last one takes its parents with it.
    assert delete(ours, f"{PATHS[1]}/instances/{STUDY}.1.2") == 204
    assert [delete(ours, path) for path in PATHS] == [404, 404]


@pytest.mark.parametrize("path", PATHS)
def test_series_and_study(ours: httpx.Client, path: str) -> None:
    post(ours, body(instance(1, 70), instance(2, 70), instance(1, 71)))
    assert delete(ours, path) == 204
    assert count(ours) == 0
    assert count(ours, f"{generated.ROOT}.71") == 1
    assert delete(ours, path) == 404


def test_what_is_elsewhere_stays(ours: httpx.Client) -> None:
    """A path whose parts do not belong together names nothing."""
    post(ours, body(instance(1, 70), instance(1, 71)))
    other = f"{generated.ROOT}.71"
    assert delete(ours, f"studies/{STUDY}/series/{other}.1") == 404
    assert delete(ours, f"studies/{STUDY}/series/{STUDY}.1/instances/{other}.1.1") == 404
    assert delete(ours, "studies/1.2.3") == 404
    assert (count(ours), count(ours, other)) == (1, 1)


def test_study_of_two_patients(ours: httpx.Client) -> None:
    post(ours, body(instance(1, 72), instance(2, 72, PatientID="another")))
    assert count(ours, f"{generated.ROOT}.72") == 2
    assert delete(ours, f"studies/{generated.ROOT}.72") == 204
    assert count(ours, f"{generated.ROOT}.72") == 0


@pytest.mark.parametrize("options", [{"DicomWeb": {"EnableDelete": False}}, {"ReadOnly": True}])
def test_configurations_without(tmp_path: Path, options: dict[str, object]) -> None:
    with (
        OurServer(tmp_path, options) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        answer = client.delete(f"/dicom-web/studies/{STUDY}")
        assert answer.status_code == 405
        assert "DELETE" not in answer.headers["allow"]
