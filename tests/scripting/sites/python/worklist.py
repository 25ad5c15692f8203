"""Answers modalities with the orders that the RIS has put into a file of JSON."""

import json

import orthanc
from notes import note


def register(orders):
    def answer(answers, query, issuer, called):
        asked = json.loads(
            orthanc.DicomBufferToJson(
                query.WorklistGetDicomQuery(),
                orthanc.DicomToJsonFormat.SHORT,
                orthanc.DicomToJsonFlags.NONE,
                0,
            )
        )
        note(
            "asked",
            issuer,
            called,
            {tag: asked[tag] for tag in sorted(asked) if tag >= "0008,0020"},
        )
        with open(orders) as file:
            known = json.load(file)
        for order in known:
            step = {
                "Modality": order["modality"],
                "ScheduledStationAETitle": issuer,
                "ScheduledProcedureStepStartDate": order["date"],
            }
            tags = {
                "PatientID": order["patient"],
                "PatientName": order["name"],
                "AccessionNumber": order["number"],
                "StudyInstanceUID": "1.2.3." + order["number"],
                "ScheduledProcedureStepSequence": [step],
            }
            dicom = orthanc.CreateDicom(json.dumps(tags), None, orthanc.CreateDicomFlags.NONE)
            matches = query.WorklistIsMatch(dicom)
            note("order", order["number"], matches)
            if matches:
                answers.WorklistAddAnswer(query, dicom)

    orthanc.RegisterWorklistCallback(answer)
