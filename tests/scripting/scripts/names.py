"""Serves all names of the module, with the members of its classes, at /names."""

import json

import orthanc


def _members(kind):
    return {
        name: getattr(kind, name) if isinstance(getattr(kind, name), int) else "method"
        for name in dir(kind)
        if not name.startswith("_")
    }


def _names(output, uri, **request):
    found = {}
    for name in dir(orthanc):
        if not name.startswith("_"):
            value = getattr(orthanc, name)
            found[name] = _members(value) if isinstance(value, type) else "function"
    output.AnswerBuffer(json.dumps(found), "application/json")


orthanc.RegisterRestCallback("/names", _names)
orthanc.SetDescription("text of mine")
orthanc.SetRootUri("/app")
orthanc.ExtendOrthancExplorer("// nothing")
