"""Calls that list, follow and steer jobs."""

from collections.abc import Callable
from typing import Any, Literal

from orthanc_fast.client.answers import Job
from orthanc_fast.client.call import Call, Flow, Pause, get, post

JobAction = Literal["cancel", "pause", "resume", "resubmit"]
ACTIONS: tuple[JobAction, ...] = ("cancel", "pause", "resume", "resubmit")

# Seconds between two looks at a job: short ones are told soon, long ones cost little.
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0


def jobs() -> Call[list[Job]]:
    """All jobs that the server remembers."""
    return get("/jobs", list[Job], expand="")


def job(identifier: str) -> Call[Job]:
    """One job."""
    return get(f"/jobs/{identifier}", Job)


def act_on_job(identifier: str, action: JobAction) -> Call[dict[str, Any]]:
    """Cancels, pauses, resumes (what is paused) or resubmits (what has failed)."""
    return post(f"/jobs/{identifier}/{action}", {}, dict[str, Any])


def forget_job(identifier: str) -> Call[Any]:
    """Takes a completed job from the list, with what it has made for downloading. Needs Orthanc
    1.12.9 or orthanc_fast."""
    return Call("DELETE", f"/jobs/{identifier}", lambda body: None)


def follow(identifier: str, progress: Callable[[Job], None] | None = None) -> Flow[Job]:
    """Waits until a job is done, and gives it; `progress` is called with it at each look. That it
    has failed is no error here: look at `state`."""
    pause = FIRST_PAUSE
    while True:
        found = yield from job(identifier)
        if progress is not None:
            progress(found)
        if found.is_done:
            return found
        yield from Pause(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)
