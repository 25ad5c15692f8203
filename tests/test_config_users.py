"""The options Users and Sessions."""

import json
from pathlib import Path
from typing import Any

import pytest

from orthanc_fast.config import ConfigError, Settings, load
from orthanc_fast.rights import EVERYTHING, Right
from orthanc_fast.services.users.passwords import hashed

HASH = hashed("x")


def settings(tmp_path: Path, **options: Any) -> Settings:
    path = tmp_path / "configuration.json"
    path.write_text(json.dumps({"AuthenticationEnabled": True, **options}))
    return load([path])


def test_who_is_only_registered_may_do_everything(tmp_path: Path) -> None:
    (user,) = settings(tmp_path, RegisteredUsers={"a": "b"}).users
    assert (user.name, user.password, user.rights, user.labels) == ("a", "b", EVERYTHING, None)


def test_users(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        RegisteredUsers={"a": "b", "c": "d"},
        Users={
            "a": {"ReadOnly": True},
            "e": {"Permissions": ["upload", "delete"], "Labels": ["x"], "PasswordHash": HASH},
            "f": {"Permissions": [], "PasswordHash": HASH},
        },
        Sessions={"Minutes": 5, "ShareDays": 0},
    )
    by_name = {user.name: user for user in found.users}
    assert by_name["a"].rights == Right.BROWSE
    assert by_name["c"].rights == EVERYTHING
    assert by_name["e"].rights == Right.UPLOAD | Right.DELETE
    assert by_name["e"].labels == frozenset({"x"})
    assert by_name["f"].rights == 0
    assert (found.sessions.minutes, found.sessions.share_days) == (5, 0)


def test_remote_access_with_users_of_the_section_only(tmp_path: Path) -> None:
    users = {"a": {"ReadOnly": True, "PasswordHash": HASH}}
    found = settings(tmp_path, RemoteAccessAllowed=True, Users=users)
    assert found.authentication_enabled


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({}, "Permissions or ReadOnly"),
        ({"ReadOnly": False}, "Permissions or ReadOnly"),
        ({"ReadOnly": True, "Permissions": ["browse"]}, "Permissions or ReadOnly"),
        ({"Permissions": ["read"]}, "read"),
        ({"Permissions": "browse"}, "Expected"),
        ({"Permission": ["browse"]}, "Permission"),
        ({"ReadOnly": True, "PasswordHash": HASH}, "not both"),
        ({"ReadOnly": True, "PasswordHash": "secret"}, "orthanc-fast password"),
        ({"ReadOnly": True, "PasswordHash": HASH.replace("$14$", "$40$")}, "orthanc-fast password"),
        ({"ReadOnly": True, "Labels": []}, "Labels"),
        ({"ReadOnly": True, "Labels": ["a b"]}, "Labels"),
        ({"Permissions": ["administrate"], "Labels": ["a"]}, "sees everything"),
    ],
)
def test_what_leaves_something_open_does_not_start(
    tmp_path: Path, entry: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        settings(tmp_path, RegisteredUsers={"a": "b"}, Users={"a": entry})


@pytest.mark.parametrize("name", ["b", "", "a:b"])
def test_a_user_has_a_name_and_a_password(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError):
        settings(tmp_path, RegisteredUsers={"a": "b"}, Users={name: {"ReadOnly": True}})


@pytest.mark.parametrize(
    "sessions", [{"Minutes": 0}, {"Minutes": 10**9}, {"ShareDays": -1}, {"Hours": 1}]
)
def test_bounds_of_sessions(tmp_path: Path, sessions: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        settings(tmp_path, Sessions=sessions)


def test_users_without_authentication_are_told(tmp_path: Path) -> None:
    path = tmp_path / "configuration.json"
    given: dict[str, Any] = {"RegisteredUsers": {"a": "b"}, "Users": {"a": {"ReadOnly": True}}}
    path.write_text(json.dumps(given))
    with pytest.raises(ConfigError, match="AuthenticationEnabled"):
        load([path])
    path.write_text(json.dumps({**given, "AuthenticationEnabled": False}))
    told: list[str] = []
    load([path], told.append)
    assert [text for text in told if "Users has no effect" in text]
