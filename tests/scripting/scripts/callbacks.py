"""Registers one callback of nearly every kind; what they are called with is served at /seen."""

import functools
import json
import threading
import time

import orthanc

SEEN = []
STATE = {"cstore": 0, "received": "keep", "http": "allow"}
_kept = {}


def _note(kind, *given):
    SEEN.append([kind, *list(given)])


# REST


def _headers(request):
    return {name: value for name, value in request["headers"].items() if name.startswith("x-")}


def _describe(output, uri, **request):
    shown = dict(request)
    shown["headers"] = _headers(request)
    shown["groups"] = [type(request["groups"]).__name__, *list(request["groups"])]
    if "body" in shown:
        shown["body"] = [type(shown["body"]).__name__, shown["body"].decode("latin-1")]
    output.AnswerBuffer(json.dumps([uri, shown], sort_keys=True), "application/json; charset=utf-8")


class Handler:
    def __call__(self, output, uri, **request):
        output.AnswerBuffer("of an object", "text/plain")

    def method(self, output, uri, **request):
        output.AnswerBuffer(b"of a method", "text/plain")


def _partial(text, output, uri, **request):
    output.AnswerBuffer(text, "text/plain")


def _status(output, uri, **request):
    code = int(request["groups"][0])
    output.SendHttpStatus(code, "body of %d" % code)


def _status_code(output, uri, **request):
    output.SendHttpStatusCode(int(request["groups"][0]))


def _answer(output, uri, **request):
    kind = request["groups"][0]
    if kind == "allow":
        output.SendMethodNotAllowed("GET,POST")
    elif kind == "unauthorized":
        output.SendUnauthorized("realm of mine")
    elif kind == "redirect":
        output.Redirect("/there?x=1")
    elif kind == "header":
        output.SetHttpHeader("X-Mine", "value")
        output.SetCookie("cookie", "crumb")
        output.AnswerBuffer("", "text/plain")
    elif kind == "twice":
        output.AnswerBuffer("first", "text/plain")
        output.AnswerBuffer("second", "text/plain")
    elif kind == "none":
        output.AnswerBuffer(None, "application/octet-stream")
    elif kind == "bytearray":
        output.AnswerBuffer(bytearray(b"\x00\x01"), "application/octet-stream")
    elif kind == "stream":
        output.StartStreamAnswer("text/plain")
        for part in ("one,", b"two,", "three"):
            output.SendStreamChunk(part)
    elif kind == "multipart":
        output.StartMultipartAnswer("related", "application/dicom")
        output.SendMultipartItem(b"first part")
        output.SendMultipartItem(b"\x00\x01")
    elif kind == "png":
        output.CompressAndAnswerPngImage(orthanc.PixelFormat.GRAYSCALE8, 3, 2, 4, b"abcXdefX")
    elif kind == "jpeg":
        output.CompressAndAnswerJpegImage(orthanc.PixelFormat.RGB24, 1, 1, 3, b"abc", 90)
    elif kind == "raises":
        raise ValueError("on purpose")
    elif kind == "details":
        output.SetHttpErrorDetails("details of mine", 0)
        raise ValueError("on purpose")
    elif kind == "types":
        output.AnswerBuffer("one argument only")
    elif kind == "nested":
        output.AnswerBuffer(
            orthanc.RestApiGetAfterPlugins("/callbacks/answer/stream"), "text/plain"
        )
    elif kind == "thread":
        output.AnswerBuffer(
            str(threading.current_thread() is threading.main_thread()), "text/plain"
        )


def _keep(output, uri, **request):
    _kept["output"] = output
    output.AnswerBuffer("kept", "text/plain")


def _system(output, uri, **request):
    system = json.loads(orthanc.RestApiGet("/statistics"))
    output.AnswerBuffer(
        json.dumps({"Mine": True, "CountInstances": system["CountInstances"]}), "application/json"
    )


def _slow(output, uri, **request):
    time.sleep(1)
    output.AnswerBuffer("slept", "text/plain")


def _seen(output, uri, **request):
    output.AnswerBuffer(json.dumps(SEEN), "application/json")


def _set(output, uri, **request):
    STATE.update(json.loads(request["body"]))
    output.AnswerBuffer("{}", "application/json")


def _token(output, uri, **request):
    output.AnswerBuffer(orthanc.GenerateRestApiAuthorizationToken(), "text/plain")


handler = Handler()
orthanc.RegisterRestCallback("/callbacks/describe(/.*)?", _describe)
orthanc.RegisterRestCallback("/callbacks/groups/([a-z]+)/(\\d+)?/x", _describe)
orthanc.RegisterRestCallback(
    "/callbacks/first|/callbacks/second", functools.partial(_partial, "first")
)
orthanc.RegisterRestCallback("/callbacks/second", functools.partial(_partial, "never"))
orthanc.RegisterRestCallback("/callbacks/object", handler)
orthanc.RegisterRestCallback("/callbacks/method", handler.method)
orthanc.RegisterRestCallback(
    "/callbacks/lambda", lambda output, uri, **request: output.AnswerBuffer("l", "text/x-mine")
)
orthanc.RegisterRestCallback("/callbacks/status/(\\d+)", _status)
orthanc.RegisterRestCallback("/callbacks/status-code/(\\d+)", _status_code)
orthanc.RegisterRestCallback("/callbacks/answer/(.*)", _answer)
orthanc.RegisterRestCallback("/callbacks/evil/(a|aa)+(b|c)", _describe)
orthanc.RegisterRestCallback("/callbacks/any/[[:alpha:]]+(.*)", _describe)
orthanc.RegisterRestCallback("/callbacks/keep", _keep)
orthanc.RegisterRestCallback("/callbacks/slow", _slow)
orthanc.RegisterRestCallback("/statistics", _system)
orthanc.RegisterRestCallback("/seen", _seen)
orthanc.RegisterRestCallback("/set", _set)
orthanc.RegisterRestCallback("/token", _token)


# Events


def _on_change(change, level, resource):
    _note("change", change, level, resource if level != 4 else "")
    if change == orthanc.ChangeType.ORTHANC_STARTED:
        _note("started", orthanc.RestApiGet("/patients").decode().strip())


def _on_stored(instance, identifier):
    tags = json.loads(orthanc.RestApiGet("/instances/%s/simplified-tags" % identifier))
    _note(
        "stored",
        identifier,
        tags["PatientID"],
        json.loads(instance.GetInstanceSimplifiedJson())["PatientID"],
        instance.GetInstanceOrigin(),
        instance.GetInstanceRemoteAet(),
        instance.GetInstanceMetadata("TransferSyntax"),
        instance.GetInstanceMetadata("Nope"),
        instance.GetInstanceTransferSyntaxUid(),
        instance.GetInstanceSize() == len(orthanc.GetDicomForInstance(identifier)),
    )


def _received(data, origin):
    _note("received", type(data).__name__, len(data) > 132, origin)
    action = STATE["received"]
    if action == "keep":
        return orthanc.ReceivedInstanceAction.KEEP_AS_IS, None
    if action == "discard":
        return orthanc.ReceivedInstanceAction.DISCARD, None
    if action == "modify":
        tags = json.loads(orthanc.DicomBufferToJson(data, 2, 0, 0))
        tags = {tag: tags[tag] for tag in ("0008,0016", "0008,0018", "0020,000d", "0020,000e")}
        tags["0010,0020"] = "MODIFIED"
        made = orthanc.CreateDicom(json.dumps(tags), None, 0)
        return orthanc.ReceivedInstanceAction.MODIFY, made
    if action == "raise":
        raise ValueError("on purpose")
    return "no tuple"


def _cstore(instance):
    _note("cstore", instance.GetInstanceOrigin(), instance.GetInstanceRemoteAet())
    if STATE["cstore"] == "raise":
        raise ValueError("on purpose")
    return STATE["cstore"]


def _http(uri, **request):
    if uri.startswith("/filtered"):
        shown = {key: value for key, value in request.items() if key != "headers"}
        _note("http", uri, shown)
        if uri == "/filtered/raise":
            raise ValueError("on purpose")
        if uri == "/filtered/number":
            return 1
        return uri == "/filtered/allow"
    return True


orthanc.RegisterOnChangeCallback(_on_change)
orthanc.RegisterOnStoredInstanceCallback(_on_stored)
orthanc.RegisterReceivedInstanceCallback(_received)
orthanc.RegisterIncomingCStoreInstanceFilter(_cstore)
orthanc.RegisterIncomingHttpRequestFilter(_http)

for register in (
    lambda: orthanc.RegisterOnChangeCallback(_on_change),
    lambda: orthanc.RegisterOnStoredInstanceCallback(_on_stored),
    lambda: orthanc.RegisterReceivedInstanceCallback(_received),
    lambda: orthanc.RegisterIncomingCStoreInstanceFilter(_cstore),
    lambda: orthanc.RegisterIncomingHttpRequestFilter(_http),
    lambda: orthanc.RegisterRestCallback(None, _seen),
    lambda: orthanc.RegisterRestCallback("/x"),
    lambda: orthanc.RestApiGet("/patients"),
    lambda: orthanc.StoreKeyValue("a", "b", b"c"),
    lambda: orthanc.GetKeyValue("a", "b"),
    lambda: orthanc.EnqueueValue("a", b"c"),
    lambda: orthanc.DequeueValue("a", 0),
    lambda: orthanc.LookupPatient("a"),
    lambda: orthanc.GetGlobalProperty(1040, "a"),
    lambda: orthanc.SetGlobalProperty(1040, "a"),
    lambda: orthanc.GetDicomForInstance("a"),
):
    try:
        register()
        _note("import", "nothing")
    except Exception as error:
        _note("import", type(error).__name__, str(error))
