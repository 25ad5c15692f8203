"""Does what scripts should not do, when it is asked to."""

import json
import os
import sys
import threading
import time

import orthanc

HERE = os.path.dirname(os.path.abspath(__file__))
MODE = os.path.join(HERE, "mode")
EVENTS = os.path.join(HERE, "events")
_kept = {}
_lock = threading.Lock()


def _mode(kind, is_once=False):
    """What a callback of this kind is to do."""
    try:
        with open(MODE) as file:
            wanted, mode = file.read().split(":")
    except (OSError, ValueError):
        return ""
    if wanted != kind:
        return ""
    if is_once:
        os.unlink(MODE)
    return mode


def _do(mode):
    if mode == "loop":
        while True:
            pass
    elif mode == "sleep":
        time.sleep(3600)
    elif mode == "exit":
        os._exit(7)
    elif mode == "sys.exit":
        sys.exit(3)
    elif mode == "raise":
        raise orthanc.OrthancException(17, "not here")
    elif mode == "leak":
        kept = _kept.setdefault("leak", [])
        while True:
            kept.append(bytearray(1 << 20))
    elif mode == "gluttony":
        bytearray(1 << 40)
    elif mode == "recursion":
        _do(mode)


def _rest(output, uri, **request):
    _do(request["groups"][0])
    output.AnswerBuffer("well", "text/plain")


def _received(data, origin):
    _do(_mode("received"))
    return orthanc.ReceivedInstanceAction.KEEP_AS_IS, None


def _http(uri, **request):
    if uri == "/filtered":
        _do(_mode("http"))
    return True


def _cstore(instance):
    _do(_mode("cstore"))
    return 0


def _stored(instance, identifier):
    _kept["instance"] = instance
    with _lock, open(EVENTS, "a") as file:
        file.write(identifier + "\n")
    _do(_mode("stored", True))


def _later(output, uri, **request):
    try:
        found = _kept["instance"].GetInstanceSize()
    except Exception as error:
        found = [type(error).__name__, str(error)]
    output.AnswerBuffer(json.dumps(found), "application/json")


def _packages(output, uri, **request):
    import of_the_site

    output.AnswerBuffer(of_the_site.TEXT, "text/plain")


def _header(output, uri, **request):
    name, value, kind = json.loads(request["body"])
    output.SetHttpHeader(name, value)
    output.AnswerBuffer("well", kind)


def _details(output, uri, **request):
    output.SetHttpErrorDetails("half a character: \ud800", 0)


def _late(output, uri, **request):
    orthanc.RegisterRestCallback("/registered-late", _rest_late)
    output.AnswerBuffer("{}", "application/json")


def _rest_late(output, uri, **request):
    output.AnswerBuffer("late", "text/plain")


def _token(output, uri, **request):
    output.AnswerBuffer(orthanc.GenerateRestApiAuthorizationToken(), "text/plain")


def _deep(output, uri, **request):
    """Calls itself, and stores what it was sent in the end."""
    depth = int(request["groups"][0])
    next = "/deep/%d" % (depth - 1) if depth else "/instances"
    answer = orthanc.RestApiPostAfterPlugins(next, request["body"])
    output.AnswerBuffer(answer, "application/json")


orthanc.RegisterRestCallback("/do/(.*)", _rest)
orthanc.RegisterRestCallback("/deep/(\\d+)", _deep)

orthanc.RegisterRestCallback("/later", _later)
orthanc.RegisterRestCallback("/packages", _packages)
orthanc.RegisterRestCallback("/header", _header)
orthanc.RegisterRestCallback("/details", _details)
orthanc.RegisterRestCallback("/register-late", _late)
orthanc.RegisterRestCallback("/token", _token)
orthanc.RegisterReceivedInstanceCallback(_received)
orthanc.RegisterIncomingHttpRequestFilter(_http)
orthanc.RegisterIncomingCStoreInstanceFilter(_cstore)
orthanc.RegisterOnStoredInstanceCallback(_stored)
orthanc.ExtendOrthancExplorer("alert(1)")
