"""Starts jobs, and follows them."""

import json

import orthanc
from notes import note

NAMES = {
    orthanc.ChangeType.JOB_SUBMITTED: "submitted",
    orthanc.ChangeType.JOB_SUCCESS: "success",
    orthanc.ChangeType.JOB_FAILURE: "failure",
}


def on_change(change, level, resource):
    if change in NAMES:
        job = json.loads(orthanc.RestApiGet("/jobs/" + resource))
        if job["Type"] == "DicomModalityStore":
            is_over = change != orthanc.ChangeType.JOB_SUBMITTED
            code = job["ErrorCode"] if is_over else None
            note(NAMES[change], job["Type"], code, job["Content"]["Description"], job["Priority"])


def start(study):
    body = json.dumps({"Resources": [study], "Synchronous": False, "Priority": 5})
    made = json.loads(orthanc.RestApiPost("/modalities/down/store", body))
    note("job", sorted(made), made["Path"] == "/jobs/" + made["ID"])
