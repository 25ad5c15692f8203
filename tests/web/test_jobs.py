"""The page of jobs, live."""

import json

import httpx
import pytest
from support import generated
from support.driven_browser import Browser
from support.server import OurServer
from support.web_ui import judge

ROW = "[...document.querySelectorAll('tbody tr')].find((row) => row.innerText.includes({}))"


@pytest.fixture(scope="module", autouse=True)
def study(server: OurServer) -> str:
    data = bytes(generated.small().number(81, 81, 81, 81))
    found: str = httpx.post(f"{server.url}/instances", content=data).json()["ParentStudy"]
    return found


@pytest.fixture(autouse=True)
def forgotten(server: OurServer) -> None:
    """The jobs of other tests."""
    for job in httpx.get(f"{server.url}/jobs").json():
        httpx.delete(f"{server.url}/jobs/{job}").raise_for_status()


def archive(server: OurServer, study: str, **options: object) -> str:
    body = {"Resources": [study], "Asynchronous": True, **options}
    job: str = httpx.post(f"{server.url}/tools/create-archive", json=body).json()["ID"]
    return job


def row(text: str) -> str:
    return ROW.format(json.dumps(text))


def test_a_job_appears_while_one_looks(browser: Browser, server: OurServer, study: str) -> None:
    browser.open(f"{server.url}/app/explorer.html#jobs")
    browser.wait_for_text("There are no jobs")
    judge(browser, "jobs-none")
    archive(server, study)
    browser.wait_for(f"{row('Archive')}?.innerText.includes('Done')")
    judge(browser, "jobs")


def test_a_job_is_shown_and_forgotten(browser: Browser, server: OurServer, study: str) -> None:
    job = archive(server, study, UserData="trial 17")
    browser.open(f"{server.url}/app/explorer.html#jobs")
    browser.wait_for(f"{row('Archive')}?.innerText.includes('Done')")
    browser.value(f"{row('Archive')}.focus(), 0")
    browser.press("Enter")
    browser.wait_for_text(job)
    browser.wait_for_text("trial 17")
    judge(browser, "job")
    browser.press("Escape")
    browser.wait_for("!document.querySelector('dialog')")
    browser.value(f"{row('Archive')}.querySelector('button').click(), 0")
    browser.click("Remove from the list")
    browser.wait_for("!document.querySelector('tbody tr')")
    assert httpx.get(f"{server.url}/jobs/{job}").status_code == 404


def test_a_job_that_failed_runs_again(browser: Browser, server: OurServer, study: str) -> None:
    httpx.put(
        f"{server.url}/modalities/nobody", json={"AET": "NOBODY", "Host": "127.0.0.1", "Port": 9}
    ).raise_for_status()
    body = {"Resources": [study], "Asynchronous": True}
    job = httpx.post(f"{server.url}/modalities/nobody/store", json=body).json()["ID"]
    browser.open(f"{server.url}/app/explorer.html#jobs")
    browser.wait_for(f"{row('Send by DICOM')}?.innerText.includes('Failed')")
    judge(browser, "jobs-failed")
    first = httpx.get(f"{server.url}/jobs/{job}").json()["CompletionTime"]
    browser.value(f"{row('Send by DICOM')}.querySelector('button').click(), 0")
    browser.click("Run again")
    browser.wait_for(
        f"fetch('../jobs/{job}').then((answer) => answer.json())"
        f".then((job) => job.State === 'Failure' && job.CompletionTime !== '{first}')"
    )
