"""Answers C-FIND, worklists, C-MOVE and storage commitment instead of the server; the variants with
a number at the end of their names where VARIANT is 2."""

import json

import orthanc

SEEN = []
VARIANT = json.loads(orthanc.GetConfiguration()).get("_Variant", 1)
STATE = {"raise": False, "incomplete": False, "size": 3, "status": 0}


def _note(*given):
    SEEN.append(list(given))


def _made(**tags):
    return orthanc.CreateDicom(json.dumps(tags), None, 0)


def _connection(given):
    if len(given) == 1:
        found = given[0]
        return [
            found.GetConnectionRemoteAet(),
            found.GetConnectionRemoteIp(),
            found.GetConnectionCalledAet(),
        ]
    return list(given)


def find(answers, query, *who):
    elements = []
    for i in range(query.GetFindQuerySize()):
        elements.append(
            [
                query.GetFindQueryTagName(i),
                query.GetFindQueryTagGroup(i),
                query.GetFindQueryTagElement(i),
                query.GetFindQueryValue(i),
            ]
        )
    _note("find", elements, _connection(who))
    for i in range(2):
        answers.FindAddAnswer(
            _made(
                PatientID="P%d" % i,
                PatientName="M\u00fcller^%d" % i,
                QueryRetrieveLevel="STUDY",
                StudyDescription="not asked",
            )
        )
    if STATE["incomplete"]:
        answers.FindMarkIncomplete()
    if STATE["raise"]:
        raise ValueError("on purpose")


def worklist(answers, query, *who):
    worklists = [
        _made(
            PatientID=name,
            PatientName="Doe^" + name,
            Modality="OT",
            ScheduledProcedureStepSequence=[
                {"Modality": kind, "ScheduledStationAETitle": "STATION"}
            ],
        )
        for name, kind in (("W1", "CT"), ("W2", "MR"), ("W3", "CT"))
    ]
    matched = [query.WorklistIsMatch(each) for each in worklists]
    asked = json.loads(orthanc.DicomBufferToJson(query.WorklistGetDicomQuery(), 2, 0, 0))
    _note("worklist", asked, matched, _connection(who))
    for each, is_match in zip(worklists, matched):
        if is_match:
            answers.WorklistAddAnswer(query, each)
    if STATE["incomplete"]:
        answers.WorklistMarkIncomplete()
    if STATE["raise"]:
        raise ValueError("on purpose")


def _request(request):
    return {key: value for key, value in request.items() if key != "OriginatorID"}


def move(**request):
    _note("move", _request(request), type(request["OriginatorID"]).__name__)
    if STATE["raise"]:
        raise ValueError("on purpose")


class Driver:
    def __init__(self):
        self.done = 0


def create(*connection, **request):
    _note("create", _request(request), _connection(connection) if connection else None)
    return Driver()


def size(driver):
    _note("size", type(driver).__name__)
    return STATE["size"]


def apply(driver):
    driver.done += 1
    _note("apply", driver.done)
    if STATE["raise"] and driver.done == 2:
        raise ValueError("on purpose")
    return False


def free(driver):
    _note("free", driver.done)


def commitment(job, transaction, classes, instances, *who):
    _note("commitment", type(job).__name__, transaction, classes, instances, _connection(who))
    return {"transaction": transaction}


def lookup(sop_class, instance, data):
    _note("lookup", sop_class, instance, data)
    return STATE["status"]


def _seen(output, uri, **request):
    found = list(SEEN)
    SEEN.clear()
    output.AnswerBuffer(json.dumps(found), "application/json")


def _set(output, uri, **request):
    STATE.update(json.loads(request["body"]))
    output.AnswerBuffer("{}", "application/json")


if VARIANT == 1:
    orthanc.RegisterFindCallback(find)
    orthanc.RegisterWorklistCallback(worklist)
    orthanc.RegisterMoveCallback(move)
    orthanc.RegisterStorageCommitmentScpCallback(commitment, lookup)
elif VARIANT == 2:
    orthanc.RegisterFindCallback2(find)
    orthanc.RegisterWorklistCallback2(worklist)
    orthanc.RegisterMoveCallback2(create, size, apply, free)
    orthanc.RegisterStorageCommitmentScpCallback2(commitment, lookup)
else:
    orthanc.RegisterMoveCallback3(create, size, apply, free)
orthanc.RegisterRestCallback("/seen", _seen)
orthanc.RegisterRestCallback("/set", _set)
