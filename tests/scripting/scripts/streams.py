"""Answers in parts, and bodies of any size; what a callback met is served at /seen."""

import json
import threading

import orthanc

SEEN = []
_steps = threading.Semaphore(0)


def _tried(work):
    try:
        work()
    except orthanc.OrthancException as error:
        return list(error.args)
    return "nothing"


def _stepped(output, uri, **request):
    """One chunk at once, and one for each request for /step."""
    output.StartStreamAnswer("text/x-steps")
    for number in range(3):
        output.SendStreamChunk("part %d\n" % number)
        if not _steps.acquire(timeout=60):
            raise TimeoutError
    SEEN.append([uri, "over"])


def _silent(output, uri, **request):
    """Begins, and sends nothing before the next step."""
    output.StartStreamAnswer("text/x-silent")
    _steps.acquire(timeout=60)


def _step(output, uri, **request):
    _steps.release()
    output.AnswerBuffer("{}", "application/json")


def _endless(output, uri, **request):
    """Sends until nobody takes it any longer."""
    output.StartStreamAnswer("application/octet-stream")
    count = 0
    try:
        while True:
            output.SendStreamChunk(b"x" * 100000)
            count += 1
            SEEN[:] = [["chunks", count]]
    except orthanc.OrthancException as error:
        SEEN[:] = [["left", *error.args]]
        raise


def _failing(output, uri, **request):
    output.StartStreamAnswer("text/plain")
    output.SendStreamChunk("begun")
    raise ValueError("on purpose")


def _failing_item(output, uri, **request):
    output.StartMultipartAnswer("related", "text/plain")
    output.SendMultipartItem("begun")
    output.SendMultipartItem("and more")
    raise ValueError("on purpose")


def _sequence(output, uri, **request):
    """Calls in an order that does not fit."""
    found = [
        _tried(lambda: output.SendStreamChunk("x")),
        _tried(lambda: output.SendMultipartItem("x")),
    ]
    output.SetHttpHeader("X-Before", "1")
    output.StartStreamAnswer("text/plain")
    found += [
        _tried(lambda: output.SendMultipartItem("x")),
        _tried(lambda: output.StartStreamAnswer("text/html")),
        _tried(lambda: output.AnswerBuffer("x", "text/html")),
        _tried(lambda: output.SetHttpHeader("X-After", "1")),
        _tried(lambda: output.SendStreamChunk("")),
    ]
    output.SendStreamChunk(json.dumps(found))


def _large(output, uri, **request):
    output.AnswerBuffer(b"y" * int(request["get"]["size"]), "application/octet-stream")


def _size(output, uri, **request):
    body = request["body"]
    output.AnswerBuffer(
        json.dumps([type(body).__name__, len(body), orthanc.ComputeMd5(body)]), "application/json"
    )


def _seen(output, uri, **request):
    output.AnswerBuffer(json.dumps(SEEN), "application/json")


def _nested(output, uri, **request):
    output.AnswerBuffer(orthanc.RestApiGetAfterPlugins("/sequence"), "application/json")


for _name, _function in {
    "stepped": _stepped,
    "silent": _silent,
    "step": _step,
    "endless": _endless,
    "failing": _failing,
    "failing-item": _failing_item,
    "sequence": _sequence,
    "nested": _nested,
    "large": _large,
    "size": _size,
    "seen": _seen,
}.items():
    orthanc.RegisterRestCallback("/" + _name, _function)
