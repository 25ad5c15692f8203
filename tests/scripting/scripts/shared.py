"""What a script shares with others: queues, stores, and the interpreter with its own threads."""

import json
import threading

import orthanc

_asked = threading.Event()
_told = threading.Event()
_kept = {}


def _work():
    """Runs only while a call of the server leaves the interpreter to others."""
    while True:
        _asked.wait()
        _asked.clear()
        _told.set()


threading.Thread(target=_work, daemon=True).start()


def _calls(output, uri, **request):
    output.AnswerBuffer(orthanc.RestApiPostAfterPlugins("/waits", "body"), "text/plain")


def _waits(output, uri, **request):
    _told.clear()
    _asked.set()
    output.AnswerBuffer("told" if _told.wait(60) else "nobody has told", "text/plain")


def _eval(output, uri, **request):
    value = eval(request["body"].decode(), globals())
    text = value.decode() if isinstance(value, bytes) else value
    output.AnswerBuffer(json.dumps(text, default=bytes.decode), "application/json")


def _take_all(count):
    """By several threads at the same time: what each of them got."""
    found, threads = [], []

    def take():
        while True:
            value, number = orthanc.ReserveQueueValue("crowd", orthanc.QueueOrigin.FRONT, 600)
            if value is None:
                return
            found.append(int(value))
            orthanc.AcknowledgeQueueValue("crowd", number)

    for number in range(count):
        orthanc.EnqueueValue("crowd", str(number))
    for _ in range(4):
        threads.append(threading.Thread(target=take))
        threads[-1].start()
    for thread in threads:
        thread.join()
    return found, orthanc.GetQueueSize("crowd")


def _ask_the_server():
    orthanc.RestApiGet("/patients")
    orthanc.RestApiPost("/tools/lookup", "nobody")
    orthanc.RestApiPostAfterPlugins("/waits", "body")


for _name in ("calls", "waits", "eval"):
    orthanc.RegisterRestCallback("/" + _name, globals()["_" + _name])
