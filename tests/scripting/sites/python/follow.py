"""Works in a thread of its own on what changes: reconstructs, labels and copies what is complete."""

import io
import json
import queue
import threading
import zipfile

import orthanc
from notes import note

WORK = queue.Queue()
DONE = threading.Event()
worker = None


def on_change(change, level, resource):
    global worker
    if change == orthanc.ChangeType.ORTHANC_STARTED:
        worker = threading.Thread(target=work)
        worker.start()
        note("started", level == orthanc.ResourceType.NONE, resource)
    elif change == orthanc.ChangeType.ORTHANC_STOPPED:
        DONE.set()
        WORK.put((None, None))
        worker.join()
    elif change == orthanc.ChangeType.STABLE_STUDY:
        WORK.put((level, resource))
    elif change == orthanc.ChangeType.UPDATED_METADATA and level == orthanc.ResourceType.STUDY:
        note("updated", level)


def work():
    orthanc.SetCurrentThreadName("FOLLOW")
    while not DONE.is_set():
        _level, study = WORK.get()
        if study is None:
            return
        try:
            complete(study)
        except Exception as error:
            note("work failed", repr(error))


def complete(study):
    found = json.loads(orthanc.RestApiGet("/studies/" + study))
    series = [json.loads(orthanc.RestApiGet("/series/" + each)) for each in found["Series"]]
    modalities = sorted({each["MainDicomTags"].get("Modality", "") for each in series})
    note("complete", found["MainDicomTags"].get("StudyDescription"), modalities, found["IsStable"])
    note("reconstructed", orthanc.RestApiPost(f"/studies/{study}/reconstruct", "{}").decode())
    orthanc.RestApiPut(f"/studies/{study}/metadata/1024", "complete")
    orthanc.RestApiPut(f"/studies/{study}/labels/complete", "")
    archive = zipfile.ZipFile(io.BytesIO(orthanc.RestApiGet(f"/studies/{study}/archive")))
    note("archive", sorted(archive.namelist()))
    orthanc.StoreKeyValue("followed", study, json.dumps(modalities))
    note(
        "kept",
        orthanc.GetKeyValue("followed", study).decode(),
        orthanc.GetKeyValue("followed", "x"),
    )
    try:
        orthanc.RestApiDelete("/studies/nothing")
    except orthanc.OrthancException as error:
        note("unknown", list(error.args))
