"""Orthanc's configuration files: reading, warnings, and what stops the start."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from orthanc_fast.config import ConfigError, Settings, default_file, load
from orthanc_fast.config_file import parse, substitute
from orthanc_fast.config_options import OPTIONS, Option
from orthanc_fast.config_plugins import Tenant
from orthanc_fast.model import Level


def write(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def settings(tmp_path: Path, content: Any, **environment: str) -> tuple[Settings, list[str]]:
    warnings: list[str] = []
    file = write(tmp_path / "orthanc.json", content)
    return load([file], warnings.append, environment), warnings


def test_comments_commas_and_duplicates(tmp_path: Path) -> None:
    text = """
    // A comment with "quotes" and { brackets
    {
      "Name" : "first", /* in the
      middle */
      "Name" : "http://not/a/comment",
      "RegisteredUsers" : { "alice" : "secret", },
    } trailing text
    """
    found, warnings = settings(tmp_path, text)
    assert found.name == "http://not/a/comment"
    assert found.registered_users == {"alice": "secret"}
    assert warnings == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${SET}", "value"),
        ("a${SET}b${SET}", "avaluebvalue"),
        ("${UNSET}", ""),
        ("${UNSET:-default}", "default"),
        ("${UNSET:-'quoted'}", "quoted"),
        ('${UNSET:-"quoted"}', "quoted"),
        ("${SET:-default}", "value"),
        ("${EMPTY:-default}", ""),
        ("$SET {SET} ${}", "$SET {SET} ${}"),
    ],
)
def test_environment_variables(text: str, expected: str) -> None:
    assert substitute(text, {"SET": "value", "EMPTY": ""}) == expected


def test_variables_reach_the_settings(tmp_path: Path) -> None:
    found, _ = settings(tmp_path, '{"HttpPort" : ${PORT:-8043}, "Name" : "${WHO}"}', WHO="me")
    assert (found.http_port, found.name) == (8043, "me")


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        ("utf-8", None),
        ("utf-8-sig", None),
        ("latin-1", "Windows-1252"),
        ("cp1252", "Windows-1252"),
        ("utf-16", "UTF-16"),
    ],
)
def test_files_of_old_editors(tmp_path: Path, character_set: str, name: str | None) -> None:
    file = tmp_path / "orthanc.json"
    text = '// réglages de l\'hôpital\n{ "Name" : "hôpital" }\n'
    file.write_bytes(text.encode(character_set))
    warnings: list[str] = []
    assert load([file], warnings.append).name == "hôpital"
    assert [str(name) in text for text in warnings] == ([] if name is None else [True])


def test_every_byte_is_a_character_of_an_old_file(tmp_path: Path) -> None:
    file = tmp_path / "orthanc.json"
    file.write_bytes(b'{ "Name" : "\xe9\x81" }')
    warnings: list[str] = []
    assert load([file], warnings.append).name == "\xe9\x81"
    assert len(warnings) == 1


def test_folders_and_several_files(tmp_path: Path) -> None:
    folder = tmp_path / "conf.d"
    folder.mkdir()
    write(folder / "a.json", {"Name": "folder", "StorageDirectory": "data"})
    write(folder / "b.json", {"HttpPort": 9000})
    write(folder / "ignored.txt", "no JSON")
    extra = write(tmp_path / "extra.json", {"DicomPort": 9001})
    found = load([folder, extra])
    assert (found.name, found.http_port, found.dicom_port) == ("folder", 9000, 9001)
    assert found.storage_directory == folder / "data"
    assert found.index_directory == folder / "data"


def test_an_option_in_two_files_is_refused(tmp_path: Path) -> None:
    first = write(tmp_path / "1.json", {"Name": "a"})
    second = write(tmp_path / "2.json", {"Name": "b"})
    with pytest.raises(ConfigError, match=rf"{second}.*'Name'.*{first}"):
        load([first, second])


def test_the_printed_defaults_are_the_defaults(tmp_path: Path) -> None:
    printed, warnings = settings(tmp_path, default_file())
    given = printed.raw
    assert warnings == []
    for option in OPTIONS:
        if option.default is None:
            assert option.name not in given
        else:
            assert given[option.name] == option.default, option.name
    empty, _ = settings(tmp_path, {})
    for name in Settings.__struct_fields__:
        if name != "raw":
            assert getattr(printed, name) == getattr(empty, name), name


def wrong_value(option: Option) -> Any:
    """A value of a kind that the option does not take."""
    kinds = option.kind.split("|")
    values = {"bool": True, "str": "text", "object": {}, "array": [], "uint": 1}
    return next(value for kind, value in values.items() if kind not in kinds)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_a_wrong_type_stops_the_start(option: Option, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        settings(tmp_path, {option.name: wrong_value(option)})
    text = str(raised.value)
    assert str(tmp_path / "orthanc.json") in text
    assert repr(option.name) in text
    assert "must be" in text


def test_unknown_options_are_named_with_the_closest(tmp_path: Path) -> None:
    _, warnings = settings(tmp_path, {"HttpPrt": 1, "Zyxwv": 2, "_comment": 3, "DicomWeb": {}})
    assert len(warnings) == 2
    assert "'HttpPrt'" in warnings[0]
    assert "'HttpPort'" in warnings[0]
    assert "'Zyxwv'" in warnings[1]


@pytest.mark.parametrize(
    "option", [option for option in OPTIONS if not option.honoured], ids=lambda option: option.name
)
def test_options_without_effect_are_named_once(option: Option, tmp_path: Path) -> None:
    values = {
        "bool": not option.default,
        "uint": 7,
        "str": "text",
        "object": {"a": {}},
        "array": ["a"],
    }
    # What is checked although it has no effect yet.
    checked = {
        "Webhooks": [{"Url": "http://localhost/hook", "Secret": "x" * 32}],
        "Cors": {"AllowedOrigins": ["http://localhost"]},
        "TrustedProxies": ["10.0.0.1"],
    }
    value = checked.get(option.name, values[option.kind.split("|")[0]])
    _, warnings = settings(tmp_path, {option.name: value})
    assert len(warnings) == 1
    assert repr(option.name) in warnings[0]


@pytest.mark.parametrize("value", [0, 1, 2])
def test_a_number_of_overwrite_instances_is_ignored(value: int, tmp_path: Path) -> None:
    """As Orthanc 1.13 does; that of Debian does not start."""
    found, warnings = settings(tmp_path, {"OverwriteInstances": value})
    assert found.overwrite_instances == "Never"
    assert len(warnings) == 1
    assert "OverwriteInstances" in warnings[0]


TENANT: dict[str, Any] = {"AET": "A", "Port": 4000, "Labels": ["red"]}


def tenants(*servers: dict[str, Any]) -> dict[str, Any]:
    return {"MultitenantDicom": {"Servers": list(servers)}}


def test_tenants(tmp_path: Path) -> None:
    other = {**TENANT, "AET": "B", "Port": 4001, "LabelsConstraint": "None"}
    found, warnings = settings(
        tmp_path, tenants(TENANT, {**other, "LabelsStoreLevels": ["Series", "Patient"]})
    )
    assert not warnings
    assert found.tenants == (
        Tenant("A", 4000, ("red",)),
        Tenant("B", 4001, ("red",), "None", (Level.PATIENT, Level.SERIES)),
    )
    assert found.tenants[0].store_levels == (Level.STUDY, Level.SERIES, Level.INSTANCE)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({"HttpPort": 0}, "HttpPort"),
        ({"HttpPort": 70000}, "HttpPort"),
        ({"HttpRequestTimeout": 0}, "HttpRequestTimeout"),
        ({"CheckRevisions": True, "StoreMD5ForAttachments": False}, "CheckRevisions"),
        ({"OverwriteInstances": "Sometimes"}, "OverwriteInstances"),
        (
            {"OverwriteInstances": "IfChanged", "StoreMD5ForAttachments": False},
            "OverwriteInstances",
        ),
        ({"RemoteAccessAllowed": True}, "RegisteredUsers"),
        ({"RegisteredUsers": {"a:b": "c"}}, "RegisteredUsers"),
        ({"RegisteredUsers": {"a": 1}}, "RegisteredUsers"),
        ({"RegisteredUsers": {"a": "b", "c": ""}}, "RegisteredUsers: the password of 'c' is empty"),
        ({"AllowedHosts": ["pacs.example.org:8042"]}, "AllowedHosts"),
        ({"AllowedHosts": [1]}, "AllowedHosts"),
        ({"DefaultEncoding": "Klingon"}, "DefaultEncoding"),
        ({"DicomDefaultRetrieveMethod": "C-FIND"}, "DicomDefaultRetrieveMethod"),
        ({"DatabaseServerIdentifier": ""}, "DatabaseServerIdentifier"),
        ({"UserMetadata": {"low": 1023}}, "UserMetadata"),
        ({"UserMetadata": {"a": 1024, "b": 1024}}, "UserMetadata"),
        ({"UserMetadata": {"1024": 1024}}, "UserMetadata"),
        (tenants({"Port": 4000, "Labels": ["a"]}), "AET"),
        (tenants({"AET": "A", "Labels": ["a"]}), "Port"),
        (tenants({"AET": "A", "Port": 4000}), "Labels"),
        (tenants({"AET": "A", "Port": 4000, "Labels": ["a b"]}), "A: Labels: 'a b' is no label"),
        (tenants({"AET": "A", "Port": 4000, "Labels": [""]}), "A: Labels: '' is no label"),
        (tenants({"AET": "A" * 17, "Port": 4000, "Labels": ["a"]}), "AET: 'A{17}' is no"),
        (tenants({"AET": "", "Port": 4000, "Labels": ["a"]}), "AET: '' is no"),
        (tenants({"AET": "A", "Port": 0, "Labels": ["a"]}), "A: Port"),
        (tenants({"AET": "A", "Port": 70000, "Labels": ["a"]}), "A: Port"),
        (tenants({**TENANT, "LabelsConstraint": "all"}), "LabelsConstraint"),
        (tenants({**TENANT, "LabelsStoreLevels": ["study"]}), "LabelsStoreLevels"),
        (tenants(TENANT, {**TENANT, "AET": "B"}), "B: the port 4000 is that of A already"),
        (tenants(TENANT) | {"HttpPort": 4000}, "A: the port 4000 is that of HttpPort already"),
        (
            tenants(TENANT) | {"DicomServerEnabled": True, "DicomPort": 4000},
            "A: the port 4000 is that of DicomPort already",
        ),
        ({"MultitenantDicom": {"Servers": {}}}, "MultitenantDicom"),
    ],
)
def test_values_that_cannot_be_used(content: dict[str, Any], named: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=named):
        settings(tmp_path, content)


def test_an_image_without_its_password_does_not_start(tmp_path: Path) -> None:
    """What the Dockerfile writes, without users."""
    dockerfile = (Path(__file__).parents[1] / "Dockerfile").read_text()
    (written,) = re.findall(r"printf '(\{.*\})\\n' > ", dockerfile)
    file = tmp_path / "orthanc.json"
    file.write_text(written.replace("\\n", "\n"))
    with pytest.raises(ConfigError, match="ORTHANC_PASSWORD"):
        load([file], environment={})
    found = load([file], environment={"ORTHANC_PASSWORD": "secret"})
    assert found.registered_users == {"orthanc": "secret"}


def test_allowed_hosts(tmp_path: Path) -> None:
    """Every name, unless they are listed or there is no configuration at all."""
    assert settings(tmp_path, {})[0].allowed_hosts is None
    assert settings(tmp_path, {"AllowedHosts": ["*"]})[0].allowed_hosts is None
    found, _ = settings(tmp_path, {"AllowedHosts": ["PACS.example.org", "fd00::1"]})
    assert found.allowed_hosts == ("pacs.example.org", "fd00::1")
    assert load([]).allowed_hosts == ()


@pytest.mark.parametrize(
    ("remote", "explicit", "enabled"),
    [(False, None, False), (True, None, True), (True, False, False), (False, True, True)],
)
def test_authentication_follows_remote_access(
    remote: bool, explicit: bool | None, enabled: bool, tmp_path: Path
) -> None:
    content: dict[str, Any] = {"RemoteAccessAllowed": remote, "RegisteredUsers": {"a": "b"}}
    if explicit is not None:
        content["AuthenticationEnabled"] = explicit
    assert settings(tmp_path, content)[0].authentication_enabled is enabled


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a" 1}', "no", "\x00"])
def test_what_is_no_configuration(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"orthanc\.json"):
        settings(tmp_path, text)


def test_lenient_json_is_json_where_it_is_strict() -> None:
    assert parse('{"a": [1, "//", "/* */", ",]"]}') == {"a": [1, "//", "/* */", ",]"]}
    assert parse(b'["a",] // end') == ["a"]


def test_lenient_json_of_editors_and_attackers() -> None:
    assert parse(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}
    assert parse('\ufeff{"a": "b\nc\\"d"} // end') == {"a": 'b\nc"d'}
    for deep in (b"[" * 100_000, b"/**/" + b'{"a":' * 100_000):
        with pytest.raises(ValueError, match=r"deeply|truncated"):
            parse(deep)


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("", ""),
        ("proxy:3128", "http://proxy:3128"),
        ("user:pass@10.0.0.1:3128", "http://user:pass@10.0.0.1:3128"),
        ("http://proxy:3128/", "http://proxy:3128/"),
    ],
)
def test_proxies(tmp_path: Path, given: str, address: str) -> None:
    assert settings(tmp_path, {"HttpProxy": given})[0].http_proxy == address


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("HttpProxy", "socks5://proxy:1080"),
        ("HttpProxy", "http://proxy/path"),
        ("HttpProxy", ":3128"),
        ("HttpTimeout", -1),
        ("HttpTimeout", "60"),
        ("HttpsVerifyPeers", 1),
        ("HttpsCACertificates", 1),
        ("HttpVerbose", "true"),
        ("OrthancPeers", []),
        ("OrthancPeersInDatabase", 1),
        ("PeerStoreConnections", 0),
        ("SslCiphersAccepted", "ECDHE-RSA-AES128-GCM-SHA256"),
        ("SslCiphersAccepted", [1]),
        ("SslMinimumProtocolVersion", "4"),
    ],
)
def test_calls_to_others_and_https(tmp_path: Path, option: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=option):
        settings(tmp_path, {option: value})


def test_authorities_of_other_servers_lie_beside_the_file(tmp_path: Path) -> None:
    found, _ = settings(tmp_path, {"HttpsCACertificates": "ca.pem"})
    assert found.https_ca_certificates == tmp_path / "ca.pem"
    assert settings(tmp_path, {})[0].https_ca_certificates is None


def test_applications_that_are_not_here_are_named(tmp_path: Path) -> None:
    _, warnings = settings(tmp_path, {"OrthancExplorer2": {"Root": "/ui/"}, "VolView": {}})
    assert len(warnings) == 1
    assert "OrthancExplorer2" in warnings[0]
    assert "Folder" in warnings[0]


def test_explorer_2_without_the_style_of_its_theme(tmp_path: Path) -> None:
    (tmp_path / "index.html").touch()
    _, warnings = settings(tmp_path, {"OrthancExplorer2": {"Folder": "."}})
    assert "defaults-light.css" in warnings[0]
    (tmp_path / "defaults-light.css").touch()
    _, warnings = settings(tmp_path, {"OrthancExplorer2": {"Folder": "."}})
    assert warnings == []


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"Folder": "none"}, "no index.html"),
        ({"Folder": ".", "Root": "/"}, "Root"),
        ({"Folder": ".", "Theme": "pink"}, "Theme|theme|Invalid enum"),
        ({"Folder": ".", "CustomCssPath": "none.css"}, "CustomCssPath"),
        ({"Folder": ".", "Keycloak": {"Enable": True}}, "Keycloak"),
    ],
)
def test_explorer_2_that_cannot_be(tmp_path: Path, section: dict[str, Any], message: str) -> None:
    (tmp_path / "index.html").touch()
    with pytest.raises(ConfigError, match=message):
        settings(tmp_path, {"OrthancExplorer2": section})


def test_a_folder_as_debians_packages_leave_it(tmp_path: Path) -> None:
    """`/etc/orthanc` of Debian: several files with comments, one of which names folders of
    plugins."""
    write(
        tmp_path / "orthanc.json",
        """{
          /* Orthanc */ "Name" : "Orthanc",
          "StorageDirectory" : "/var/lib/orthanc/db-v6",
          "IndexDirectory" : "/var/lib/orthanc/db-v6",
          "Plugins" : [ "/usr/share/orthanc/plugins/", ],
        }""",
    )
    write(tmp_path / "credentials.json", '{ "RegisteredUsers" : { // "alice" : "x"\n } }')
    write(tmp_path / "worklists.json", {"Worklists": {"Enable": False, "Database": "/nowhere"}})
    write(tmp_path / "serve-folders.json", '{ "ServeFolders" : { /* "/doc" : "/usr" */ } }')
    write(tmp_path / "README", "no configuration")
    warnings: list[str] = []
    found = load([tmp_path], warnings.append, {})
    assert found.storage_directory == found.index_directory == Path("/var/lib/orthanc/db-v6")
    assert (found.registered_users, found.worklists, found.serve_folders) == ({}, None, None)
    (warned,) = warnings
    assert "Plugins" in warned


@pytest.mark.parametrize(
    ("option", "value", "word"),
    [
        ("LogFormat", "Xml", "Journal"),
        ("AuditLog", {"Reads": False}, "Path"),
        ("AuditLog", {"Path": "a", "MaximumSizeMB": 0}, "MaximumSizeMB"),
        ("AuditLog", {"Path": "a", "Size": 1}, "Size"),
    ],
)
def test_logs_that_cannot_be_kept(tmp_path: Path, option: str, value: Any, word: str) -> None:
    with pytest.raises(ConfigError, match=word) as raised:
        settings(tmp_path, {option: value})
    assert option in str(raised.value)


def test_the_audit_log(tmp_path: Path) -> None:
    found, _ = settings(tmp_path, {})
    assert (found.log_form, found.audit_log) == ("Auto", None)
    found, _ = settings(tmp_path, {"LogFormat": "Json", "AuditLog": {"Path": "audit"}})
    assert found.log_form == "Json"
    assert found.audit_log is not None
    assert found.audit_log.path == tmp_path / "audit"
    assert (found.audit_log.maximum_size, found.audit_log.files) == (100 << 20, 10)
