"""Our server with a kind of job, and a route that submits it, for tests only: what a job does is
said by its body.

    {"Steps": 3, "Seconds": 0.1, "DieAt": 2, "Fail": 8, "Output": "text", "Remember": true,
     "Diary": "/path", ...}

`Seconds` are those of each step, `DieAt` the step at which the worker kills itself; the diary
gets a line for each thing that happens.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]

_SERVER = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
from support.job_server import register
register()
from orthanc_fast.cli import main
main()
"""


def arguments(config: Path, *options: str) -> list[str]:
    """The command of the server."""
    return [sys.executable, "-P", "-c", _SERVER, "serve", *options, str(config)]


def register() -> None:
    """Adds the kind and the route to this process."""
    from orthanc_fast.rest import routes
    from orthanc_fast.services.processes import jobs

    jobs.KINDS["Test"] = lambda services: _make_kind()
    routes.FAMILIES = (*routes.FAMILIES, sys.modules[__name__])  # type: ignore[assignment]


def add_routes(router: Any, settings: Any) -> None:
    from orthanc_fast.rights import Right

    router.add("POST", "/test-job", _post_job, needs=Right.MODIFY)
    router.add("POST", "/test-local-job", _post_local_job, needs=Right.MODIFY)


async def _post_job(request: Any) -> Any:
    from orthanc_fast.rest.job_submission import answer_job, job_fields

    body = await request.json_object()
    fields = job_fields(body)
    return await answer_job(request, _submission(body, fields), fields.is_synchronous)


async def _post_local_job(request: Any) -> Any:
    """Begins a job in the HTTP worker and leaves it running, with its process id in the answer."""
    from orthanc_fast.rest.response import json_response

    run = request.services.jobs.begin_here(request.caller, _submission({}, None))
    return json_response({"ID": run.id, "Process": os.getpid()})


def _submission(body: dict[str, Any], fields: Any) -> Any:
    from orthanc_fast.services.jobs.contract import Submission

    return Submission(
        kind="Test",
        payload=json.dumps(body).encode() + b" " * body.get("Padding", 0),
        content={"Description": "REST API", "InstancesCount": body.get("Steps", 0)},
        priority=fields.priority if fields else 0,
        user_data=fields.user_data if fields else None,
        is_saved=body.get("IsSaved", True),
    )


def _make_kind() -> Any:
    from orthanc_fast.errors import OrthancError
    from orthanc_fast.services.jobs.contract import Kind, Run

    class Test(Kind):
        name = "Test"

        def run(self, run: Run) -> None:
            body = json.loads(run.payload)
            note = _diary(body, run.id)
            note("begin", (run.recalled or b"").decode())
            if body.get("Output"):
                path = run.output("archive", "Archive.zip", "application/zip")
                path.write_text(body["Output"])
            steps = body.get("Steps", 0)
            for done in range(steps):
                run.step(done, steps)
                if body.get("Remember"):
                    run.remember(b"%d" % done)
                time.sleep(body.get("Seconds", 0))
                note("step", str(done))
                if body.get("DieAt") == done:
                    os.kill(os.getpid(), signal.SIGKILL)
            if body.get("Fail"):
                raise OrthancError("as told", code=body["Fail"])
            run.tell(Done=True)
            note("end", "")

    return Test()


def _diary(body: dict[str, Any], job: str) -> Any:
    def note(*words: str) -> None:
        if body.get("Diary"):
            with Path(body["Diary"]).open("a") as diary:
                diary.write(" ".join((job, str(os.getpid()), *words)) + "\n")

    return note
