"""The script of a site: each part is a module beside it. Orthanc takes one callback of changes, so
this one hands them on."""

import json
import os
import sys
import traceback

import orthanc

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import follow
import jobs
import notes
import pages
import reports
import worklist

LISTENERS = [follow.on_change, jobs.on_change]


def on_change(change, level, resource):
    for listener in LISTENERS:
        try:
            listener(change, level, resource)
        except Exception as error:
            orthanc.LogError("a listener failed: " + traceback.format_exc())
            notes.note("failed", type(error).__name__)


def show_notes(output, uri, **request):
    output.AnswerBuffer(json.dumps(notes.ALL), "application/json")


configuration = json.loads(orthanc.GetConfiguration())
notes.note("configuration", configuration["Site"], "StableAge" in configuration, __name__)
pages.register(configuration["Site"])
reports.register()
worklist.register(configuration["Site"]["Orders"])
orthanc.RegisterOnChangeCallback(on_change)
orthanc.RegisterRestCallback("/site/notes", show_notes)
pages.register_rest()
