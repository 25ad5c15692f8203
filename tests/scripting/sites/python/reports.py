"""Takes a report in PDF or a picture, and puts it into a study."""

import base64
import json

import jobs
import orthanc


def register():
    orthanc.RegisterRestCallback("/site/studies/([0-9a-f-]+)/report", report)
    orthanc.RegisterRestCallback("/site/studies/([0-9a-f-]+)/capture", capture)
    orthanc.RegisterRestCallback("/site/studies/([0-9a-f-]+)/jobs", start_jobs)


def report(output, uri, **request):
    study = request["groups"][0]
    content = base64.b64encode(request["body"]).decode()
    body = {
        "Parent": study,
        "Tags": {
            "Modality": "DOC",
            "SeriesDescription": "Report",
            "SOPClassUID": "1.2.840.10008.5.1.4.1.1.104.1",
        },
        "Content": "data:application/pdf;base64," + content,
    }
    made = json.loads(orthanc.RestApiPost("/tools/create-dicom", json.dumps(body)))
    back = orthanc.RestApiGet("/instances/{}/pdf".format(made["ID"]))
    tags = json.loads(orthanc.RestApiGet("/instances/{}/simplified-tags".format(made["ID"])))
    shown = (
        "PatientID",
        "StudyDescription",
        "SeriesDescription",
        "MIMETypeOfEncapsulatedDocument",
        "ConversionType",
    )
    answer = [
        made["ParentStudy"] == study,
        back == request["body"],
        {name: tags.get(name) for name in shown},
    ]
    output.AnswerBuffer(json.dumps(answer), "application/json")


def capture(output, uri, **request):
    width, height = 4, 3
    pixels = bytes(range(width * height))
    image = orthanc.CreateImageFromBuffer(
        orthanc.PixelFormat.GRAYSCALE8, width, height, width, pixels
    )
    tags = {"PatientID": "CAPTURE", "PatientName": "Caf\u00e9", "Modality": "OT"}
    dicom = orthanc.CreateDicom(
        json.dumps(tags), image, orthanc.CreateDicomFlags.GENERATE_IDENTIFIERS
    )
    found = json.loads(
        orthanc.DicomBufferToJson(
            dicom, orthanc.DicomToJsonFormat.HUMAN, orthanc.DicomToJsonFlags.NONE, 0
        )
    )
    stored = json.loads(orthanc.RestApiPost("/instances", dicom))
    raw = orthanc.RestApiGet("/instances/{}/frames/0/raw".format(stored["ID"]))
    shown = (
        "PatientID",
        "PatientName",
        "Rows",
        "Columns",
        "BitsAllocated",
        "PhotometricInterpretation",
        "SOPClassUID",
    )
    answer = [stored["Status"], list(raw), {name: found.get(name) for name in shown}]
    output.AnswerBuffer(json.dumps(answer), "application/json")


def start_jobs(output, uri, **request):
    jobs.start(request["groups"][0])
    output.AnswerBuffer("{}", "application/json")
