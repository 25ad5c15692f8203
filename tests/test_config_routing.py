"""The option `Routing`: what is refused, in one line that names the rule or the destination."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from support.ports import free_port

from orthanc_fast.config import ConfigError, load
from orthanc_fast.config_routing import Hours

FOLDER = {"d": {"Folder": "there"}}


def refused(folder: Path, section: dict[str, Any]) -> str:
    path = folder / "configuration.json"
    path.write_text(json.dumps({"Routing": section}))
    with pytest.raises(ConfigError) as error:
        load([path])
    return str(error.value)


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ({"Rule": {}}, "no 'Rule'"),
        ({"Rules": []}, "Rules must be an object"),
        ({"Destinations": {"a b": {"Folder": "x"}}}, "destination 'a b'"),
        ({"Destinations": {"d": {}}}, "destination 'd': give one of Modality"),
        ({"Destinations": {"d": {"Folder": "x", "Peer": "p"}}}, "destination 'd': give one of"),
        (
            {"Destinations": {"d": {"Folder": "x", "Retries": 3}}},
            "'d': Object contains",
        ),
        ({"Destinations": {"d": {"Folder": "x", "Hours": ["9-17"]}}}, "destination 'd': Hours are"),
        ({"Destinations": {"d": {"Folder": "x", "Hours": ["Die 09:00-17:00"]}}}, "no day 'Die'"),
        ({"Destinations": {"d": {"Folder": "x", "Hours": ["09:00-25:00"]}}}, "no time '25:00'"),
        ({"Destinations": {"d": {"Folder": "x", "Attempts": 0}}}, "destination 'd': Attempts"),
        ({"Destinations": {"d": {"Folder": "x", "FirstPause": 0}}}, "destination 'd': FirstPause"),
        ({"Destinations": {"d": {"Folder": "x", "Path": "../{SOPInstanceUID}"}}}, "below Folder"),
        ({"Destinations": {"d": {"Folder": "x", "Path": "{Secret}"}}}, "no {Secret}"),
        ({"Destinations": {"d": {"Folder": "x", "Path": "{PatientID}"}}}, "SOPInstanceUID"),
        ({"Rules": {"r": {}}}, "rule 'r': Object missing required field `Destinations`"),
        ({"Rules": {"r": {"Destinations": []}}}, "rule 'r': Destinations must name"),
        ({"Rules": {"r": {"Destinations": ["d"]}}}, "rule 'r': there is no destination 'd'"),
        (
            {"Destinations": FOLDER, "Rules": {"r": {"Destinations": ["d"], "Event": "Stored"}}},
            "rule 'r': Invalid enum value 'Stored'",
        ),
        (
            {"Destinations": FOLDER, "Rules": {"r": {"Destinations": ["d"], "Origin": {"A": ""}}}},
            "rule 'r': Origin: there is no 'A'",
        ),
        (
            {
                "Destinations": FOLDER,
                "Rules": {"r": {"Destinations": ["d"], "Anonymize": {}, "Modify": {}}},
            },
            "rule 'r': give one of Anonymize and Modify",
        ),
    ],
)
def test_bad_sections(tmp_path: Path, section: dict[str, Any], text: str) -> None:
    found = refused(tmp_path, section)
    assert text in found
    assert "Routing" in found
    assert "\n" not in found


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"Query": {"NoSuchTag": "1"}}, "Routing: rule 'r': "),
        ({"Event": "StableStudy", "Query": {"Modality": "CT"}}, "Query: 0008,0060 Modality cannot"),
        ({"Transcode": "1.2.3"}, "Routing: rule 'r': Transcode: unknown transfer syntax '1.2.3'"),
        ({"Anonymize": {"DicomVersion": "1999z"}}, "Routing: rule 'r': Anonymize: "),
        ({"Modify": {"Replace": {"PatientID": "x"}}}, "Routing: rule 'r': Modify: "),
        ({"Modify": {"KeepSource": False}}, "Routing: rule 'r': Modify: KeepSource means nothing"),
        ({"Destinations": ["m"]}, "Routing: destination 'm': Modality: there is no 'nobody'"),
    ],
)
def test_what_means_nothing_stops_the_start(
    tmp_path: Path, options: dict[str, Any], text: str
) -> None:
    section = {
        "Destinations": {**FOLDER, "m": {"Modality": "nobody"}}
        if options.get("Destinations")
        else FOLDER,
        "Rules": {"r": {"Destinations": ["d"], **options}},
    }
    path = tmp_path / "configuration.json"
    configuration = {
        "HttpPort": free_port(),
        "DicomServerEnabled": False,
        "IndexMapSizeGB": 1,
        "Routing": section,
    }
    path.write_text(json.dumps(configuration))
    run = subprocess.run(
        [sys.executable, "-m", "orthanc_fast.cli", "serve", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode != 0
    assert run.stderr.count("\n") == 1
    assert text in run.stderr


def at(day: int, hour: int, minute: int = 0) -> float:
    """In the week that began on Monday, June 1, 2026, on the clock of this machine."""
    return time.mktime((2026, 6, day, hour, minute, 30, 0, 0, -1))


@pytest.mark.parametrize(
    ("texts", "is_open", "is_closed"),
    [
        ((), [(1, 0, 0), (7, 23, 59)], []),
        (("08:00-12:00",), [(1, 8, 0), (7, 11, 59)], [(1, 7, 59), (1, 12, 0)]),
        (("22:00-06:00",), [(1, 22, 0), (2, 5, 59), (8, 3, 0)], [(2, 6, 0), (1, 21, 59)]),
        (("Sun 22:00-06:00",), [(7, 22, 0), (8, 5, 59), (1, 5, 59)], [(2, 5, 0), (8, 6, 0)]),
        (("Mon-Fri 20:00-24:00",), [(1, 20, 0), (5, 23, 59)], [(6, 20, 0), (6, 0, 0)]),
        (("Sat-Mon 00:00-24:00",), [(6, 0, 0), (7, 9, 0), (1, 9, 0)], [(2, 0, 0), (5, 23, 59)]),
        (("Wed 09:00-10:00", "Thu 09:00-10:00"), [(3, 9, 0), (4, 9, 0)], [(5, 9, 0)]),
    ],
)
def test_hours(
    texts: tuple[str, ...],
    is_open: list[tuple[int, int, int]],
    is_closed: list[tuple[int, int, int]],
) -> None:
    hours = Hours(texts)
    for when in is_open:
        assert hours.is_open(at(*when))
        assert hours.next_opening(at(*when)) == at(*when)
    for when in is_closed:
        assert not hours.is_open(at(*when))
        opening = hours.next_opening(at(*when))
        assert hours.is_open(opening)
        assert not hours.is_open(opening - 60)
