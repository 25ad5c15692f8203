"""The commands that speak to a server, as a user calls them: output, exit codes, clear messages;
with this server and with Orthanc 1.13."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import nibabel
import numpy as np
import pydicom
import pytest
from click.testing import CliRunner, Result
from support.client_files import make_files
from support.ports import free_port
from support.reference_server import ReferenceServer
from support.server import OurServer

from orthanc_fast.cli import main
from orthanc_fast.cli.top import load_between, plot
from orthanc_fast.client import Server
from orthanc_fast.client.answers import Job

NAME, PASSWORD = "reader", "a secret:with a colon"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    make_files(folder)
    (folder / "notes.txt").unlink()
    return folder


@pytest.fixture(scope="module")
def ours(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with OurServer(tmp_path_factory.mktemp("ours")) as running:
        yield _filled(running.url, files)


@pytest.fixture(scope="module")
def orthanc(
    files: Path, needs_reference: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    with ReferenceServer(tmp_path_factory.mktemp("orthanc")) as running:
        yield _filled(running.url, files)


@pytest.fixture(params=["ours", "orthanc"])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(request.param)
    return found


def _filled(url: str, files: Path) -> str:
    told = json.loads(call("import", files, "--json", "--server", url).stdout)
    assert (told["Stored"], told["Refused"]) == (6, {})
    return url


def call(*arguments: str | Path, code: int = 0, **environment: Any) -> Result:
    done = CliRunner().invoke(main, [*map(str, arguments)], env=environment or None)
    assert done.exit_code == code, done.output
    if code:
        lines = [line for line in done.stderr.splitlines() if line.startswith("orthanc-fast:")]
        assert len(lines) == 1 or code == 2, done.stderr
    return done


def told(*arguments: str | Path, **environment: Any) -> Any:
    return json.loads(call(*arguments, "--json", **environment).stdout)


def study(url: str) -> str:
    with Server(url) as server:
        (found,) = server.find("Study", {"PatientID": "PATIENT0000000001"})
    return found.id


def test_find_prints_a_table(url: str) -> None:
    lines = call("find", "--server", url, "--patient-name", "test*").stdout.splitlines()
    assert lines[0].split() == [
        *("ID", "PatientID", "PatientName", "StudyDate", "StudyDescription", "AccessionNumber"),
    ]
    assert [line.split()[1:] for line in lines[1:] if line.startswith(study(url))] == [
        ["PATIENT0000000001", "Test^Person", "20240115", "Thorax", "A1042"]
    ]
    begin = lines[0].index("StudyDate")
    assert all(line[begin:].startswith("2024") for line in lines[1:])


def test_find_by_any_tag(url: str) -> None:
    common = ("find", "--server", url, "--level", "series", "--patient-id", "PATIENT0000000001")
    found = told(*common, "Modality=CT", "--order-by", "-SeriesInstanceUID")
    uids = [each["MainDicomTags"]["SeriesInstanceUID"] for each in found]
    assert len(uids) == 2
    assert uids == sorted(uids, reverse=True)
    assert told(*common, "SeriesDescription=nothing") == []
    assert told(*common, "--count") == {"Count": 2}
    assert call(*common, "--count").stdout == "2\n"
    shown = call(*common, "--columns", "SeriesInstanceUID", "--limit", "1")
    assert len(shown.stdout.splitlines()) == 2
    assert "more than 1: see --limit" in shown.stderr
    usage = call(*common, "Modality", code=2)
    assert "TAG=VALUE" in usage.stderr


def test_find_by_labels(url: str) -> None:
    with Server(url) as server:
        server.add_label("Study", study(url), "seen")
    common = ("find", "--server", url, "--label", "seen", "--label", "other", "--count")
    assert [told(*common, "--labels", each)["Count"] for each in ("all", "any")] == [0, 1]


def test_get_files(url: str, tmp_path: Path) -> None:
    uid = pydicom.dcmread(_some_file(url, tmp_path / "one.dcm")).StudyInstanceUID
    (got,) = told("get", uid, "--server", url, "-o", tmp_path / "study")
    assert (got["ID"], got["Format"], got["Files"]) == (study(url), "dicom", 6)
    paths = [*(tmp_path / "study").rglob("*.dcm")]
    assert len(paths) == 6
    assert got["Bytes"] == sum(path.stat().st_size for path in paths)
    line = call("get", study(url), "--server", url, "-o", tmp_path / "a.zip").stdout
    assert re.fullmatch(r".*a\.zip: [\d.]+ KB\n", line)
    again = call("get", study(url), "--server", url, "-o", tmp_path / "a.zip", code=1)
    assert "--force" in again.stderr
    call("get", study(url), "--server", url, "-o", tmp_path / "a.zip", "--force")


def _some_file(url: str, target: Path) -> Path:
    with Server(url) as server:
        instance = server.members("Study", study(url))[0].id
    call("get", instance, "--server", url, "-o", target)
    return target


def test_get_arrays(url: str, tmp_path: Path) -> None:
    with Server(url) as server:
        series = server.resource("Study", study(url)).series
        volume = server.volume(series[0], rescale=False)
    call("get", *series, "--server", url, "-f", "npy", "--raw", "-o", tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / f"{series[0]}.npy")[..., 0], volume)
    call("get", series[0], "--server", url, "-o", tmp_path / "b.npz")
    assert [*np.load(tmp_path / "b.npz")] == ["arr_0"]
    refused = call("get", study(url), "--server", url, "-f", "npy", "-o", tmp_path, code=1)
    assert "npy is of a series or instance" in refused.stderr
    assert call("get", "1.2.3", "--server", url, code=1).stderr.count("`find` lists") == 1
    call("get", series[0], "--server", url, "--raw", code=2)


def test_get_what_needs_ours(ours: str, orthanc: str, tmp_path: Path) -> None:
    with Server(ours) as server:
        series = server.resource("Study", study(ours)).series[0]
    target = tmp_path / "a.nii.gz"
    call("get", series, "--server", ours, "-o", target)
    assert nibabel.load(target).shape == (30, 20, 3)  # type: ignore[attr-defined]
    target = tmp_path / "b.npy"
    call("get", series, "--server", ours, "-o", target, "--dtype", "int16", "--slices", "1:")
    assert np.load(target).shape == (2, 20, 30, 1)
    for options in (["-f", "nifti"], ["-f", "npy", "--dtype", "int16"]):
        done = call("get", series, "--server", orthanc, "-o", tmp_path, *options, code=4)
        assert "needs orthanc_fast: the server is Orthanc 1.13" in done.stderr


def test_anonymize(url: str, tmp_path: Path) -> None:
    common = ("anonymize", study(url), "--server", url)
    edits = ("--replace", "PatientName=Case^9", "--keep", "StudyDescription")
    kind, name = call(*common, *edits).stdout.split()
    with Server(url) as server:
        made = server.resource("Study", name)
        assert kind == "Study"
        assert (made.tag("PatientName"), made.tag("StudyDescription")) == ("Case^9", "Thorax")
        assert made.anonymized_from == study(url)
        server.delete("Study", name)
    refused = call(*common, "--keep", "PatientID", code=1)
    assert "Force" in refused.stderr or "force" in refused.stderr
    assert "TAG=VALUE" in call(*common, "--replace", "PatientName", code=2).stderr


def test_anonymize_a_file_and_a_list(url: str, tmp_path: Path) -> None:
    with Server(url) as server:
        instances = [each.id for each in server.members("Study", study(url))][:2]
    target = tmp_path / "a.dcm"
    call("anonymize", instances[0], "--server", url, "-o", target, "--replace", "PatientName=X")
    assert pydicom.dcmread(target).PatientName == "X"
    call("anonymize", study(url), "--server", url, "-o", target, code=1)
    (job,) = told("anonymize", *instances, "--server", url)
    assert (job["State"], job["Content"]["InstancesCount"]) == ("Success", 2)
    with Server(url) as server:
        for each in job["Content"]["Resources"]:
            if each["Type"] == "Patient":
                server.delete("Patient", each["ID"])


def test_dry_run(ours: str, orthanc: str) -> None:
    options = ("--dry-run", "--keep", "StudyDescription")
    lines = call("anonymize", study(ours), "--server", ours, *options).stdout.splitlines()
    assert lines[0].split() == ["ACTION", "PATH", "NAME", "OLD", "NEW", "INSTANCES"]
    (kept,) = [line.split() for line in lines if "StudyDescription" in line]
    assert kept == ["Kept", "0008,1030", "StudyDescription", "Thorax", "6"]
    rows = told("anonymize", study(ours), "--server", ours, *options)["Changes"]
    assert len(rows) == len(lines) - 1
    done = call("anonymize", study(orthanc), "--server", orthanc, *options, code=4)
    assert "a dry run needs orthanc_fast" in done.stderr
    with Server(orthanc) as server:
        assert server.resource("Study", study(orthanc)).id == server.find("Study")[0].id


def test_jobs(url: str) -> None:
    common = ("--server", url)
    name = call("anonymize", study(url), *common, "--no-wait").stdout.strip()
    assert call("jobs", "follow", name, *common).stdout == f"{name} Success\n"
    (job,) = told("jobs", "follow", name, *common)
    assert job["Progress"] == 100
    assert name in [each["ID"] for each in told("jobs", "list", *common)]
    assert name not in call("jobs", "list", "--active", *common).stdout
    lines = call("jobs", "list", *common).stdout.splitlines()
    assert lines[0].split()[:4] == ["ID", "TYPE", "STATE", "PROGRESS"]
    assert any(line.split()[:4] == [name, job["Type"], "Success", "100%"] for line in lines)
    assert "InstancesCount" in call("jobs", "show", name, *common).stdout
    assert name in call("jobs", "resume", name, *common, code=1).stderr
    call("jobs", "cancel", name, *common)
    call("jobs", "forget", name, *common)
    assert "404" in call("jobs", "show", name, *common, code=1).stderr
    with Server(url) as server:
        server.delete("Study", job["Content"]["ID"])


def test_a_job_is_paused_and_resumed(url: str) -> None:
    """Unless it was done before it heard of it."""

    def resume(job: Job) -> None:
        if job.state == "Paused":
            call("jobs", "resume", job.id, "--server", url)

    with Server(url) as server:
        job = server.anonymize("Study", study(url)).id
        CliRunner().invoke(main, ["jobs", "pause", job, "--server", url])
        found = server.follow(job, resume)
        assert found.state == "Success"
        server.delete("Study", found.content["ID"])


def test_top(url: str) -> None:
    load = told("top", "--server", url, "--once", "--interval", "0.05")
    with Server(url) as server:
        assert load["Instances"] == server.totals().count_instances
    assert load["InstancesPerSecond"] == 0
    assert load["DiskBytes"] > 1000
    assert load["WrittenBytesPerSecond"] == 0
    line = call("top", "--server", url, "--once", "--interval", "0.05").stdout
    assert line.startswith(f"{load['Instances']} instances (+0.0/s), ")
    assert line.count("\n") == 1


def test_top_of_ours_counts_requests(ours: str) -> None:
    load = told("top", "--server", ours, "--once", "--interval", "0.05")
    assert load["RequestsPerSecond"] > 0  # its own


def test_rates_are_those_between_two_looks() -> None:
    before = {"orthanc_count_instances": 10.0, "orthanc_storage_written_bytes": 1000.0}
    now = {
        "orthanc_count_instances": 30.0,
        "orthanc_storage_written_bytes": 5000.0,
        'orthanc_rest_api_latency_seconds_count{family="a",method="GET"}': 6.0,
        'orthanc_rest_api_latency_seconds_count{family="b",method="GET"}': 2.0,
        "orthanc_dicom_active_associations": 3.0,
    }
    load = load_between(before, now, 2.0)
    assert (load.instances_per_second, load.written_bytes_per_second) == (10.0, 2000.0)
    assert (load.requests_per_second, load.associations) == (4.0, 3)
    assert (load.read_bytes_per_second, load.active_requests) == (None, None)
    begun_anew = load_between(now, {**now, "orthanc_storage_written_bytes": 10.0}, 1.0)
    assert begun_anew.written_bytes_per_second == 0.0
    assert plot([0.0, 4.0, 8.0]) == " ▄█"
    assert plot([]) == ""


def test_nobody_is_there(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    for command in (("find",), ("get", "x"), ("anonymize", "x"), ("jobs", "list"), ("top",)):
        assert "does it run there" in call(*command, "--server", url, code=4).stderr
    assert "is no address" in call("find", "--server", "ftp://x", code=4).stderr


def test_users(tmp_path: Path) -> None:
    users = {"AuthenticationEnabled": True, "RegisteredUsers": {NAME: PASSWORD}}
    with OurServer(tmp_path / "server", users) as server:
        common = ("find", "--count", "--server", server.url)
        refused = call(*common, code=1, HOME=str(tmp_path))
        assert "401" in refused.stderr
        assert "give the name and the password" in refused.stderr
        call(*common, "--user", f"{NAME}:{PASSWORD}")
        call(*common, "--user", NAME, ORTHANC_FAST_PASSWORD=PASSWORD)
        call(
            "find",
            "--count",
            ORTHANC_FAST_SERVER=server.url,
            ORTHANC_FAST_USER=f"{NAME}:{PASSWORD}",
        )
        assert "without a password" in call(*common, "--user", NAME, code=2).stderr
        call(*common, "--password", "x", code=2)
        netrc = tmp_path / ".netrc"
        netrc.write_text(f'machine 127.0.0.1 login {NAME} password "{PASSWORD}"\n')
        netrc.chmod(0o600)
        call(*common, HOME=str(tmp_path))
        netrc.write_text("machine\n")
        assert "cannot read the users in" in call(*common, code=4, HOME=str(tmp_path)).stderr


def commands(group: click.Group, *path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)
        else:
            yield " ".join((*path, name)), command


def test_every_option_says_what_it_does() -> None:
    """A man page and the completion of shells are made of it."""
    for name, command in commands(main):
        assert command.help, name
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{name} {parameter.name}"
