"""The examples of docs/jobs.md run."""

import re
import subprocess
import zipfile
from pathlib import Path

import httpx
from support import generated
from support.server import OurServer

TEXT = (Path(__file__).parent.parent / "docs" / "jobs.md").read_text()
EXAMPLES = re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL)


def test_examples(our_server: OurServer, tmp_path: Path) -> None:
    """In one shell, in their order: the first one gives the job of those that follow."""
    url = our_server.url
    data = bytes(generated.small().number(62, 62, 62, 62))
    study = httpx.post(f"{url}/instances", content=data).json()["ParentStudy"]
    before = _archives(url)
    first, *others = EXAMPLES
    script = [
        f"set -e; SERVER={url}; STUDY={study}",
        f"ANSWER=$({first.strip()})",
        'JOB=$(echo "$ANSWER" | sed \'s/.*"ID":"\\([^"]*\\)".*/\\1/\')',
        'echo "$JOB"',
        *others,
    ]
    run = subprocess.run(
        ["bash", "-c", "\n".join(script)], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr
    job = httpx.get(f"{url}/jobs/{run.stdout.splitlines()[0]}").json()
    assert (job["Type"], job["UserData"]) == ("ResourceModification", "trial 17")
    events = [line for line in run.stdout.splitlines() if line.startswith("event: ")]
    assert events[0] == "event: state"
    assert zipfile.ZipFile(tmp_path / "study.zip").testzip() is None
    assert _archives(url) <= before


def _archives(url: str) -> set[str]:
    return {
        each["ID"] for each in httpx.get(f"{url}/jobs?expand").json() if each["Type"] == "Archive"
    }


def test_every_option_of_jobs_is_named() -> None:
    from orthanc_fast.config_options import OPTIONS

    names = {each.name for each in OPTIONS if "Jobs" in each.name}
    assert {name for name in names if f"`{name}`" not in TEXT} == set()
