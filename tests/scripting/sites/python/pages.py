"""Pages and answers of the site's own, over and beside those of the server."""

import base64
import html
import json

import orthanc

SITE = {}


def register(site):
    SITE.update(site)
    orthanc.RegisterRestCallback("/site/(studies|series)/([0-9a-f-]+)/summary", summary)
    orthanc.RegisterRestCallback("/site/page", page)
    orthanc.RegisterRestCallback("/site/search", search)
    orthanc.RegisterRestCallback("/site/(.*)/image", image)
    orthanc.RegisterRestCallback("/statistics", statistics)


def register_rest():
    """The first one that matches answers: so this one has to be the last."""
    orthanc.RegisterRestCallback(
        "/site/.*", lambda output, uri, **request: output.SendHttpStatusCode(404)
    )


def summary(output, uri, **request):
    if request["method"] != "GET":
        output.SendMethodNotAllowed("GET")
        return
    kind, identifier = request["groups"]
    try:
        found = json.loads(orthanc.RestApiGet(f"/{kind}/{identifier}"))
    except orthanc.OrthancException as error:
        output.SendHttpStatus(404, json.dumps({"code": error.args[0], "kind": kind}))
        return
    tags = found["MainDicomTags"]
    wanted = request["get"].get("tags", "StudyDate,Modality").split(",")
    output.SetHttpHeader("X-Site", SITE["Name"])
    output.AnswerBuffer(
        json.dumps({name: tags.get(name) for name in wanted}, sort_keys=True), "application/json"
    )


def page(output, uri, **request):
    rows = []
    for patient in sorted(
        json.loads(orthanc.RestApiGet("/patients?expand")), key=lambda each: each["ID"]
    ):
        rows.append("<li>{}</li>".format(html.escape(patient["MainDicomTags"]["PatientID"])))
    user = request["headers"].get("x-user", "nobody")
    output.SetCookie("site", "1")
    output.AnswerBuffer("<html>{}<ul>{}</ul></html>".format(user, "".join(rows)), "text/html")


def search(output, uri, **request):
    if request["method"] != "POST":
        raise ValueError("only by POST")
    query = json.loads(request["body"])
    body = {"Level": "Study", "Query": query, "Expand": True}
    found = json.loads(orthanc.RestApiPost("/tools/find", json.dumps(body)))
    answer = [each["MainDicomTags"].get("StudyDescription") for each in found]
    output.AnswerBuffer(json.dumps(sorted(answer)), "application/json")


def image(output, uri, **request):
    (identifier,) = request["groups"]
    dicom = orthanc.GetDicomForInstance(identifier)
    decoded = orthanc.DecodeDicomImage(dicom, 0)
    facts = [decoded.GetImageWidth(), decoded.GetImageHeight(), decoded.GetImagePixelFormat()]
    preview = orthanc.RestApiGet(f"/instances/{identifier}/preview")
    facts.append(preview[:4].decode("latin-1"))
    facts.append(len(base64.b64encode(decoded.GetImageBuffer())))
    output.AnswerBuffer(json.dumps(facts), "application/json")


def statistics(output, uri, **request):
    own = json.loads(orthanc.RestApiGet("/statistics"))
    again = (
        json.loads(orthanc.RestApiGetAfterPlugins("/site/x/summary"))
        if "again" in request["get"]
        else None
    )
    output.AnswerBuffer(
        json.dumps({"CountStudies": own["CountStudies"], "Again": again}), "application/json"
    )
