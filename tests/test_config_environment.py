"""Options from variables of the environment and from secrets, as Orthanc's Docker images have
them."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.server import OurServer

from orthanc_fast.config import ConfigError, Settings, load
from orthanc_fast.config_environment import variable
from orthanc_fast.config_options import BY_NAME, OPTIONS, PLUGIN_SECTIONS


def read(
    tmp_path: Path, file: dict[str, Any] | None = None, **environment: str
) -> tuple[Settings, list[str]]:
    """What a folder with this file and these variables is; secrets lie in `secrets`."""
    folder = tmp_path / "configuration"
    folder.mkdir(exist_ok=True)
    if file is not None:
        (folder / "orthanc.json").write_text(json.dumps(file))
    warnings: list[str] = []
    found = load([folder], warnings.append, environment, tmp_path / "secrets")
    return found, warnings


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("Name", "ORTHANC__NAME"),
        ("StableAge", "ORTHANC__STABLE_AGE"),
        ("DicomWeb", "ORTHANC__DICOM_WEB"),
        ("StoreMD5ForAttachments", "ORTHANC__STORE_MD5_FOR_ATTACHMENTS"),
        ("HttpsCACertificates", "ORTHANC__HTTPS_CA_CERTIFICATES"),
        ("OrthancExplorer2", "ORTHANC__ORTHANC_EXPLORER2"),
    ],
)
def test_the_name_of_a_variable(option: str, name: str) -> None:
    assert variable(option) == name


def test_every_option_can_be_set_and_no_two_are_mixed_up(tmp_path: Path) -> None:
    """By the name that is shown, and by one with an underscore before every capital."""
    keys = [name.lower() for name in (*BY_NAME, *PLUGIN_SECTIONS)]
    assert len(set(keys)) == len(keys)
    for option in OPTIONS:
        assert not variable(option.name).endswith(("_FILE", "_SECRET"))
        if option.default is None:
            continue
        text = option.default if option.kind == "str" else json.dumps(option.default)
        found, warnings = read(tmp_path, None, **{variable(option.name): str(text)})
        assert found.raw == {option.name: option.default}, option.name
        assert warnings == []


def test_values_are_json_or_text(tmp_path: Path) -> None:
    found, warnings = read(
        tmp_path,
        None,
        ORTHANC__NAME="12",
        ORTHANC__STABLE_AGE="30",
        ORTHANC__STORAGE_COMPRESSION="True",
        ORTHANC__OVERWRITE_INSTANCES="IfChanged",
        ORTHANC__DICOM_AET='"QUOTED"',
        ORTHANC__REGISTERED_USERS='{"alice": "12",}',
        ORTHANC__DICOM_WEB__ROOT="/other/",
        ORTHANC__DICOM_WEB__ENABLE_WADO="false",
        ORTHANC__DICOM_WEB__WADO_ROOT="12",
        ORTHANC__HTTP_BIND_ADDRESSES='["127.0.0.1"]',
    )
    assert (found.name, found.stable_age, found.storage_compression) == ("12", 30, True)
    assert (found.overwrite_instances, found.dicom_aet) == ("IfChanged", "QUOTED")
    assert found.registered_users == {"alice": "12"}
    assert (found.dicom_web.root, found.dicom_web.enable_wado) == ("/other/", False)
    assert found.dicom_web.wado_root == "/12"
    assert found.http_bind_addresses == ("127.0.0.1",)
    assert warnings == []


def test_a_variable_counts_more_than_a_file_and_adds_to_its_section(tmp_path: Path) -> None:
    file = {"Name": "file", "StableAge": 5, "DicomWeb": {"Root": "/file/", "Host": "file"}}
    found, _ = read(
        tmp_path,
        file,
        ORTHANC_JSON='{"Name": "${WHO} whole", "HttpPort": 80}',
        WHO="the",
        ORTHANC__HTTP_PORT="81",
        ORTHANC__DICOM_WEB__ROOT="/variable/",
        ORTHANC__WORKLISTS__SET_STUDY_INSTANCE_UID_IF_MISSING="false",
    )
    assert (found.name, found.stable_age, found.http_port) == ("the whole", 5, 81)
    assert found.raw["DicomWeb"] == {"Root": "/variable/", "Host": "file"}
    assert found.raw["Worklists"] == {"SetStudyInstanceUidIfMissing": False}


def test_secrets(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "ORTHANC__REGISTERED_USERS").write_text('{"alice": "wonder"}\n')
    (secrets / "pseudonyms").write_text("key of all\n")
    (secrets / "other").write_text("no business of ours")
    (tmp_path / "title").write_text("FILE\r\n")
    found, warnings = read(
        tmp_path,
        None,
        ORTHANC__PSEUDONYM_KEY_SECRET="pseudonyms",
        ORTHANC__DICOM_AET_FILE=str(tmp_path / "title"),
    )
    assert found.registered_users == {"alice": "wonder"}
    assert (found.pseudonym_key, found.dicom_aet) == ("key of all", "FILE")
    assert warnings == []


def test_a_password_makes_a_user_where_nobody_names_others(tmp_path: Path) -> None:
    remote = {"RemoteAccessAllowed": True}
    found, _ = read(tmp_path, remote, ORTHANC_PASSWORD="secret")
    assert found.registered_users == {"orthanc": "secret"}
    found, _ = read(
        tmp_path, remote, ORTHANC_PASSWORD="secret", ORTHANC__REGISTERED_USERS='{"alice": "x"}'
    )
    assert found.registered_users == {"alice": "x"}
    with pytest.raises(ConfigError, match="RegisteredUsers"):
        read(tmp_path, remote, ORTHANC_PASSWORD="")


def test_defaults_hold_where_nobody_says_otherwise(tmp_path: Path) -> None:
    (tmp_path / "defaults.json").write_text('{"Name": "default", "StableAge": 7}')
    defaults = str(tmp_path / "defaults.json")
    found, _ = read(tmp_path, {"Name": "file"}, ORTHANC_FAST_DEFAULTS=defaults)
    assert (found.name, found.stable_age) == ("file", 7)


def test_an_unknown_name_is_warned_of_with_the_nearest(tmp_path: Path) -> None:
    _, warnings = read(tmp_path, None, ORTHANC__STABEL_AGE="30", ORTHANC__NOTHING_LIKE_IT="1")
    assert len(warnings) == 2
    assert "ORTHANC__NOTHING_LIKE_IT" in warnings[0]
    assert "did you mean" not in warnings[0]
    assert warnings[1].startswith("the environment variable ORTHANC__STABEL_AGE ")
    assert warnings[1].endswith("did you mean ORTHANC__STABLE_AGE?")


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"ORTHANC__HTTP_PORT": "my secret"}, ["ORTHANC__HTTP_PORT", "HttpPort", "number"]),
        ({"ORTHANC__REGISTERED_USERS": "my secret"}, ["ORTHANC__REGISTERED_USERS", "object"]),
        ({"ORTHANC_JSON": '["my secret"]'}, ["ORTHANC_JSON", "object"]),
        ({"ORTHANC_JSON": "{my secret"}, ["ORTHANC_JSON"]),
        ({"ORTHANC__NAME_FILE": "/nowhere/at/all"}, ["ORTHANC__NAME_FILE", "/nowhere/at/all"]),
        ({"ORTHANC__NAME": "a", "ORTHANC__N_AME": "b"}, ["ORTHANC__N_AME", "ORTHANC__NAME"]),
        ({"ORTHANC__HTTP_PORT": "0"}, ["ORTHANC__HTTP_PORT", "port"]),
    ],
)
def test_what_cannot_be_used_names_the_variable_and_no_value(
    tmp_path: Path, environment: dict[str, str], words: list[str]
) -> None:
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, None, **environment)
    for word in words:
        assert word in str(raised.value)
    assert "my secret" not in str(raised.value)


def test_a_server_with_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORTHANC__NAME", "from a variable")
    monkeypatch.setenv("ORTHANC__DICOM_WEB__ROOT", "/rs/")
    with OurServer(tmp_path) as server:
        assert httpx.get(f"{server.url}/system").json()["Name"] == "from a variable"
        assert httpx.get(f"{server.url}/rs/studies").status_code in (200, 204)
        assert httpx.get(f"{server.url}/dicom-web/studies").status_code == 404
