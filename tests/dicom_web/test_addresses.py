"""The address of DICOMweb in answers. Reference chapter 5, section 9."""

import json
from pathlib import Path
from typing import Any, cast

import pytest

from orthanc_fast.config import ConfigError, Settings, load
from orthanc_fast.config_sections import TAKEN, DicomWeb, dicom_web
from orthanc_fast.rest.dicom_web.addresses import base_of
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.routes import build_router

PLAIN = {"Host": "pacs:8042"}


def base(headers: dict[str, str], options: DicomWeb | None = None, port: int = 8042) -> str:
    fields = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"headers": fields, "server": ("127.0.0.1", port), "scheme": "http"}
    request = Request(scope, cast(Any, None), cast(Any, None), [], "GET")
    return base_of(request, options or dicom_web({}))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (PLAIN, "http://pacs:8042/dicom-web/"),
        ({}, "http://localhost:8042/dicom-web/"),
        ({"Host": "bad host"}, "http://localhost:8042/dicom-web/"),
        (
            {**PLAIN, "X-Forwarded-Host": "a.org", "X-Forwarded-Proto": "https"},
            "https://a.org/dicom-web/",
        ),
        (
            {**PLAIN, "X-Forwarded-Host": "a.org, b.org", "X-Forwarded-Proto": "https, http"},
            "https://a.org/dicom-web/",
        ),
        ({**PLAIN, "X-Forwarded-Host": "a.org"}, "http://pacs:8042/dicom-web/"),
        ({**PLAIN, "X-Forwarded-Proto": "https"}, "http://pacs:8042/dicom-web/"),
        ({**PLAIN, "Forwarded": "proto=https"}, "https://pacs:8042/dicom-web/"),
        ({**PLAIN, "Forwarded": "Host=a.org"}, "http://a.org/dicom-web/"),
        ({**PLAIN, "Forwarded": "for=1 ; HOST = a.org;proto=https"}, "https://a.org/dicom-web/"),
        ({**PLAIN, "Forwarded": 'host="a.org:80", host=b.org'}, "http://a.org:80/dicom-web/"),
        ({**PLAIN, "Forwarded": 'host="a.org/x"'}, "http://localhost:8042/dicom-web/"),
    ],
)
def test_rules(headers: dict[str, str], expected: str) -> None:
    assert base(headers) == expected


def test_host_of_the_configuration_comes_first() -> None:
    options = dicom_web({"Host": "x.org", "Ssl": True, "PublicRoot": "public"})
    forwarded = {**PLAIN, "X-Forwarded-Host": "a.org", "X-Forwarded-Proto": "http"}
    assert base(forwarded, options) == "https://x.org/public/"


def test_the_port_that_a_client_left_out() -> None:
    assert base({"Host": "pacs"}) == "http://pacs:8042/dicom-web/"
    assert base({"Host": "[::1]"}) == "http://[::1]:8042/dicom-web/"
    assert base({"Host": "pacs"}, port=80) == "http://pacs/dicom-web/"
    # It is the proxy that has none.
    assert base({"Host": "pacs", "X-Real-IP": "1.2.3.4"}) == "http://pacs/dicom-web/"


@pytest.mark.parametrize("root", ["dicom", "/dicom", "dicom/", "/dicom/"])
def test_slashes_of_the_root(root: str) -> None:
    options = dicom_web({"Root": root})
    assert (options.root, options.public_root) == ("/dicom/", "/dicom/")


@pytest.mark.parametrize(
    "section",
    [
        {"Root": "/"},
        {"Root": "/a//b/"},
        {"WadoRoot": "/"},
        {"StudiesMetadata": "Fast"},
        {"OtherBinaryMode": "Hex"},
        {"Enable": 1},
        {"Root": "/studies/"},
        {"Root": "system"},
        {"Root": "/a?b/"},
        {"Root": "/a b/"},
        {"WadoRoot": "/system"},
        {"WadoRoot": "/instances/x"},
        {"WadoRoot": "/dicom-web/studies"},
        {"WadoRoot": "/dicom-web/info/x"},
        {"PublicRoot": "https://pacs.org/"},
        {"PublicRoot": "/a#b/"},
        {"Host": "https://pacs.org"},
        {"Host": "my pacs"},
        {"ClientConnections": 0},
        {"ClientMinimumRate": -1},
    ],
)
def test_sections_that_cannot_be(section: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        dicom_web(section)


@pytest.mark.parametrize(
    "section",
    [
        {"Root": "/pacs/studies/", "WadoRoot": "/pacs/wado"},
        {"WadoRoot": "/dicom-web/wado"},
        {"PublicRoot": "/"},
        {"Host": "[::1]:8042"},
        {"ClientMinimumRate": 0},
    ],
)
def test_sections_that_can_be(section: dict[str, Any]) -> None:
    dicom_web(section)


def test_no_path_of_the_server_is_hidden() -> None:
    own = {"dicom-web", "ohif", "wado"}
    used = {route.path.split("/")[1] for route in build_router(Settings()).routes} - own
    assert {name for name in used if name and not name.startswith(("{", "_"))} <= TAKEN


def test_nothing_is_ignored_in_silence(tmp_path: Path) -> None:
    file = tmp_path / "orthanc.json"
    section = {"enable": False, "StowMaxSize": 7, "WadoRsLoaderThreadsCount": 2, "_note": "mine"}
    file.write_text(json.dumps({"DicomWeb": {**section, "Root": "/dw/"}}))
    heard: list[str] = []
    load([file], heard.append)
    text = "\n".join(heard)
    assert "'DicomWeb.enable': did you mean 'Enable'?" in text
    assert "DicomWeb.StowMaxSize has no effect" in text
    assert "DicomWeb.WadoRsLoaderThreadsCount has no effect" in text
    assert "Root" not in text.replace("WadoRoot", "") and "_note" not in text
    file.write_text(json.dumps({"DicomWeb": {"Root": "/studies/"}}))
    with pytest.raises(ConfigError, match="must not hide /studies of the REST API"):
        load([file])
