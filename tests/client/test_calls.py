"""Every call, by the blocking client and by the awaited one, against this server and against
Orthanc 1.13; what only this server knows is refused for Orthanc, by name."""

import asyncio
import inspect
import io
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from support import generated
from support.client_files import make_files
from support.ports import free_port
from support.reference_server import ReferenceServer
from support.server import OurServer

from orthanc_fast.client import AsyncServer, Edits, Server, ServerError
from orthanc_fast.client.answers import Job
from orthanc_fast.client.methods import Methods

DESCRIPTION = "Axial 1 mm"


class Awaited:
    """An AsyncServer that is used as a Server is: its loop runs in a thread."""

    def __init__(self, url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._server = AsyncServer(url)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        found = getattr(self._server, name)

        def called(*arguments: Any, **named: Any) -> Any:
            answer = found(*arguments, **named)
            assert inspect.isawaitable(answer)
            return self.wait(answer)

        return called

    def wait(self, coming: Any) -> Any:
        async def waited() -> Any:
            return await coming

        return asyncio.run_coroutine_threadsafe(waited(), self._loop).result(60)

    def volumes(self, *arguments: Any, **named: Any) -> list[tuple[str, np.ndarray]]:
        async def all_of_them() -> list[tuple[str, np.ndarray]]:
            return [each async for each in self._server.volumes(*arguments, **named)]

        return cast(list[tuple[str, np.ndarray]], self.wait(all_of_them()))

    def end(self) -> None:
        self.wait(self._server.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    make_files(folder)
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


def _filled(url: str, files: Path) -> str:
    with Server(url) as server:
        assert server.upload([files]).stored == 6
    return url


def _client(url: str, kind: str) -> Iterator[Server]:
    if kind == "blocking":
        with Server(url) as server:
            yield server
    else:
        awaited = Awaited(url)
        yield cast(Server, awaited)
        awaited.end()


@pytest.fixture(scope="module", params=["blocking", "awaited"])
def our(request: pytest.FixtureRequest, ours: str) -> Iterator[Server]:
    yield from _client(ours, request.param)


@pytest.fixture(scope="module", params=["blocking", "awaited"])
def their(request: pytest.FixtureRequest, orthanc: str) -> Iterator[Server]:
    yield from _client(orthanc, request.param)


@pytest.fixture(
    scope="module",
    params=[(name, kind) for name in ("ours", "orthanc") for kind in ("blocking", "awaited")],
    ids="-".join,
)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    name, kind = request.param
    yield from _client(request.getfixturevalue(name), kind)


def original(server: Server) -> str:
    """The study that was uploaded."""
    (study,) = server.find("Study", {"PatientID": "PATIENT0000000001"})
    return study.id


def test_resources(server: Server) -> None:
    study = original(server)
    found = server.resource("Study", study)
    assert (found.type, found.tag("StudyDescription"), found.tag("PatientName")) == (
        *("Study", "Thorax"),
        "Test^Person",
    )
    assert sorted(found.children) == sorted(server.series(study))
    assert found.parent == found.parent_patient
    assert server.studies(found.parent) == [study]
    series = server.resource("Series", found.series[0])
    assert server.instances(series.id) == series.instances
    instances = server.members("Study", study)
    assert sorted(each.file_size or 0 for each in instances) == [
        *(server.size("Instance", each.id).dicom_uncompressed_size for each in instances),
    ]
    assert server.tags(instances[0].id)["PatientName"] == "Test^Person"
    size = server.size("Study", study)
    assert (size.count_series, size.count_instances) == (2, 6)
    totals = server.totals()
    assert totals.count_instances >= 6
    assert totals.total_disk_size >= size.dicom_disk_size > 0


def test_finding(server: Server) -> None:
    query = {"StudyDescription": "THORAX", "PatientID": "PATIENT0000000001"}
    series = server.find("Series", query, order_by=["-SeriesInstanceUID"])
    uids = [each.tag("SeriesInstanceUID") for each in series]
    assert len(uids) == 2
    assert uids == sorted(uids, reverse=True)
    (second,) = server.find("Series", query, order_by=["-SeriesInstanceUID"], since=1, limit=1)
    assert second.tag("SeriesInstanceUID") == uids[1]
    assert server.find("Series", query, case_sensitive=True) == []
    assert server.count("Series", query) == 2
    (found, *_) = server.find("Series", query, requested_tags=["PatientName"])
    assert found.requested_tags == {"PatientName": "Test^Person"}
    newest = server.find("Study", query, order_by=["metadata:LastUpdate"])
    assert [each.id for each in newest] == [original(server)]


def test_identifying(server: Server) -> None:
    study = server.resource("Study", original(server))
    assert server.identify(study.id) == server.identify(study.tag("StudyInstanceUID"))
    series = server.resource("Series", study.series[0])
    assert server.identify(series.tag("SeriesInstanceUID")).path == series.path
    assert server.identify(study.tag("PatientID"), "Patient").type == "Patient"
    assert server.identify(study.id, "Study").id == study.id
    for identifier in (study.id, study.tag("StudyInstanceUID")):
        with pytest.raises(ServerError, match="there is no series") as caught:
            server.identify(identifier, "Series")
        assert caught.value.status == 404


def test_an_identifier_of_several(server: Server) -> None:
    """A patient may be called as a study is."""
    uid = server.resource("Study", original(server)).tag("StudyInstanceUID")
    dataset = generated.base()
    dataset.PatientID, dataset.StudyInstanceUID = uid, "1.2.3"
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    stored = server.store(buffer.getvalue())
    try:
        with pytest.raises(ServerError, match="names several, give the level or one of") as caught:
            server.identify(uid)
        assert caught.value.status == 300
        assert server.identify(uid, "Study").id == original(server)
    finally:
        server.delete("Instance", stored.id)


def _template() -> bytes:
    return bytes(generated.small().data)


def test_storing_and_deleting(server: Server) -> None:
    data = generated.Template(_template()).number(3, 3, 3, 3)
    stored = server.store(data)
    assert server.store(data).status == "AlreadyStored"
    assert stored.parent_study is not None
    assert server.content(f"/instances/{stored.id}/file") == data
    server.delete("Study", stored.parent_study)
    with pytest.raises(ServerError) as caught:
        server.resource("Instance", stored.id)
    assert caught.value.status == 404
    with pytest.raises(ServerError, match="400 POST /instances"):
        server.store(b"no DICOM")


def test_labels_and_metadata(server: Server) -> None:
    study = original(server)
    server.add_label("Study", study, "checked")
    assert server.labels("Study", study) == ["checked"]
    assert "checked" in server.all_labels()
    assert [each.labels for each in server.find("Study", labels=["checked"])] == [["checked"]]
    labels = ["checked", "other"]
    assert server.find("Study", labels=labels) == []
    assert server.count("Study", labels=labels, labels_constraint="Any") == 1
    server.remove_label("Study", study, "checked")
    assert server.labels("Study", study) == []

    server.set_metadata("Study", study, "1024", "a value / of ours")
    assert server.metadata("Study", study)["1024"] == "a value / of ours"
    server.remove_metadata("Study", study, "1024")
    assert "1024" not in server.metadata("Study", study)


def test_protecting(server: Server) -> None:
    patient = server.resource("Study", original(server)).parent or ""
    for protected in (True, False):
        server.protect(patient, protected)
        assert server.json(f"/patients/{patient}/protected") == int(protected)


def test_changes(server: Server) -> None:
    first = server.changes(limit=2)
    assert [each.seq for each in first.changes] == [1, 2]
    assert not first.done
    every = server.all_changes()
    assert every[:2] == first.changes
    assert [each.seq for each in every] == sorted(each.seq for each in every)
    assert sum(each.change_type == "NewInstance" for each in every) >= 6
    assert server.all_changes(every[-1].seq) == []


def test_waiting_for_changes(our: Server) -> None:
    last = our.all_changes()[-1].seq
    assert our.changes(last, wait=0.01).changes == []


def test_anonymizing(server: Server) -> None:
    study = original(server)
    edits = Edits(
        keep=["StudyDescription"], replace={"PatientName": "Case^1"}, force=True
    )  # `force` has nothing to do here, and does no harm
    seen: list[Job] = []
    job = server.follow(server.anonymize("Study", study, edits, priority=3).id, seen.append)
    assert (job.state, job.type, job.priority) == ("Success", "ResourceModification", 3)
    assert seen[-1] == job
    assert job.created is not None
    made = server.resource("Study", job.content["ID"])
    assert (made.tag("PatientName"), made.tag("StudyDescription")) == ("Case^1", "Thorax")
    assert made.anonymized_from == study
    assert [each.id for each in server.jobs()].count(job.id) == 1
    assert server.job(job.id).state == "Success"
    server.delete("Study", made.id)


def test_anonymizing_and_modifying_lists(server: Server) -> None:
    series = server.series(original(server))
    edits = Edits(replace={"SeriesDescription": "Other"})
    for submitted in (
        server.anonymize_all(series, edits),
        server.modify_all("Series", series, edits),
    ):
        job = server.follow(submitted.id)
        assert job.state == "Success", job.reason
        made = [each["ID"] for each in job.content["Resources"] if each["Type"] == "Series"]
        assert len(made) == 2
        for name in made:
            assert server.resource("Series", name).tag("SeriesDescription") == "Other"
            server.delete("Series", name)


def test_modifying(server: Server) -> None:
    job = server.follow(
        server.modify("Study", original(server), Edits(replace={"StudyDescription": "New"})).id
    )
    made = server.resource("Study", job.content["ID"])
    assert made.tag("StudyDescription") == "New"
    server.delete("Study", made.id)


def test_files_of_one_instance(server: Server) -> None:
    instance = server.members("Study", original(server))[0].id
    file = server.anonymized_file(instance, Edits(replace={"PatientName": "Case^2"}))
    assert file[128:132] == b"DICM"
    assert b"Case^2" in file
    file = server.modified_file(instance, Edits(replace={"PatientName": "Case^3"}))
    assert b"Case^3" in file


def test_jobs_are_steered(server: Server) -> None:
    """By the answers of the server: what is done cannot be paused or resumed."""
    job = server.follow(server.anonymize("Series", server.series(original(server))[0]).id)
    server.act_on_job(job.id, "cancel")
    with pytest.raises(ServerError) as caught:
        server.act_on_job(job.id, "resume")
    assert caught.value.status == 400
    with pytest.raises(ServerError) as caught:
        server.job("nothing")
    assert caught.value.status == 404
    server.delete("Series", job.content["ID"])
    server.forget_job(job.id)
    assert job.id not in [each.id for each in server.jobs()]


def test_dry_runs(our: Server) -> None:
    study = original(our)
    before = our.totals()
    told = our.dry_run([study], Edits(keep=["StudyDescription"]))
    actions = {each.name: each.action for each in told.changes}
    assert told.instances_count == 6
    assert (actions["StudyDescription"], actions["PatientName"]) == ("Kept", "Replaced")
    assert our.totals() == before
    told = our.dry_run([study], Edits(replace={"StudyDescription": "x"}), verb="modify")
    assert [each.new_value for each in told.changes if each.name == "StudyDescription"] == ["x"]


def test_options_of_the_standard(our: Server) -> None:
    edits = Edits(options=["RetainUIDs"], pseudonym_key="a key")
    with pytest.raises(ServerError, match="no option Nonsense"):
        our.dry_run([original(our)], Edits(options=["Nonsense"]))
    instance = our.members("Study", original(our))[0]
    assert instance.tag("SOPInstanceUID").encode() in our.anonymized_file(instance.id, edits)


def test_what_orthanc_would_pass_over_in_silence_is_refused(their: Server) -> None:
    study = original(their)
    before = their.totals()
    for make in (
        lambda: their.dry_run([study]),
        lambda: their.anonymize("Study", study, Edits(options=["RetainUIDs"])),
        lambda: their.anonymize_all([study], Edits(date_shift=3)),
        lambda: their.anonymized_file(study, Edits(mask_pixels=[{"Region": [0, 0, 1, 1]}])),
        lambda: their.history(),
    ):
        with pytest.raises(ServerError, match=r"needs orthanc_fast: the server is Orthanc 1\.13"):
            make()
    assert their.totals() == before
    assert all(job.is_done for job in their.jobs())


def test_the_server_itself(server: Server, ours: str) -> None:
    found = server.system()
    assert (found.version, found.dicom_aet) == ("1.13.0", "ORTHANC")
    metrics = server.metrics()
    assert metrics["orthanc_count_instances"] == server.totals().count_instances
    assert server.json("/system")["Version"] == "1.13.0"


def test_which_server_it_is(our: Server, their: Server) -> None:
    assert our.system().is_ours
    assert not their.system().is_ours
    (*_, last) = our.history()
    assert last.instances == our.totals().count_instances
    assert last.time > 1.7e9
    assert 'orthanc_rest_api_latency_seconds_count{family="system",method="GET"}' in our.metrics()


def test_arrays(server: Server) -> None:
    names = server.series(original(server))
    volume = server.volume(names[0])
    assert volume.shape == (3, 20, 30)
    assert volume.dtype == np.float32
    instance = server.instances(names[0])[0]
    assert server.instance(instance, rescale=False).shape == (1, 20, 30)
    found = list(server.volumes(names * 2, prefetch=3))
    assert [name for name, _ in found] == names * 2
    np.testing.assert_array_equal(found[0][1], volume)


def test_arrays_of_ours(our: Server, their: Server) -> None:
    name = our.series(original(our))[0]
    chosen = our.volume(name, dtype="int16", slices="1:")
    np.testing.assert_array_equal(chosen, our.volume(name)[1:])
    place = our.geometry(name)
    assert (place.size, place.spacing, place.is_uniform) == ((30, 20, 3), (0.7, 0.7, 2), True)
    with pytest.raises(ServerError, match="no orthanc_fast"):
        their.volume(name, dtype="int16")
    their.volume(name)  # the connection is in order again


def test_errors(server: Server) -> None:
    with pytest.raises(ServerError, match="404 GET /series/nothing/numpy"):
        server.volume("nothing")
    with pytest.raises(ServerError, match="does not answer as an Orthanc does"):
        server.json("/app/explorer.html")


@pytest.mark.parametrize("kind", ["blocking", "awaited"])
def test_nobody_is_there(kind: str) -> None:
    for server in _client(f"http://127.0.0.1:{free_port()}", kind):
        with pytest.raises(ServerError, match="does it run there") as caught:
            server.totals()
        assert caught.value.status == 0


def test_methods_have_the_texts_and_arguments_of_their_calls() -> None:
    server = Server()
    names = [name for name in vars(Methods) if not name.startswith("_")]
    for name in names:
        bound = getattr(server, name)
        assert bound.__doc__
        assert inspect.signature(bound) == inspect.signature(getattr(Server, name))
    assert len(names) > 40
