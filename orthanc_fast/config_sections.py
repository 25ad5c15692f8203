"""The options that have a structure of their own: UserMetadata, UserContentType, Webhooks, Cors,
AllowedHosts, TrustedProxies, HttpProxy, DicomWeb, Scripts with LuaScripts and Python.

For each there is a function that makes it of what the file says. They raise ValueError with the
reason.
"""

import base64
import difflib
import re
from collections.abc import Collection, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import msgspec

from orthanc_fast.registries import (
    ATTACHMENT_TYPES,
    DEFAULT_MIME_TYPE,
    FIRST_USER_NUMBER,
    LAST_USER_NUMBER,
    METADATA,
)
from orthanc_fast.rights import Right

Permission = Literal["browse", "upload", "modify", "delete", "administrate"]

STABLE = ("StablePatient", "StableStudy", "StableSeries")
EVENTS = (
    *STABLE,
    "NewPatient",
    "NewStudy",
    "NewSeries",
    "NewInstance",
    "CompletedSeries",
    "UpdatedAttachment",
    "UpdatedMetadata",
    "RoutingDelayed",
    "RoutingResumed",
    "RoutingGivenUp",
    "RoutingDone",
)


class _Section(msgspec.Struct, frozen=True, rename="pascal", forbid_unknown_fields=True):
    pass


class Webhook(_Section, frozen=True):
    """One target of notifications. Times are in seconds."""

    url: str
    events: tuple[str, ...] = STABLE
    secret: str = ""  # signs what is sent; whsec_... is Base64, anything else is taken as it is
    headers: dict[str, str] = {}
    allow_private_addresses: bool = False
    timeout: float = 10.0  # of one attempt, from the connection to the answer
    give_up_after: float = 86400.0  # an event that could not be delivered for so long is dropped


class Cors(_Section, frozen=True):
    """Which pages of other origins may use this server from a browser."""

    allowed_origins: tuple[str, ...] = ()
    allow_credentials: bool = False
    max_age: int = 600  # seconds for which a browser remembers a permission


MetadataMode = Literal["Full", "MainDicomTags", "Extrapolate"]
OtherBinary = Literal["BulkDataURI", "InlineBinary", "ArrayOfValues"]


# What is at the root of the server already: first components of its paths.
TAKEN: Final = frozenset(
    {
        "app",
        "changes",
        "exports",
        "favicon.ico",
        "health",
        "instances",
        "jobs",
        "modalities",
        "patients",
        "peers",
    }
    | {"plugins", "queries", "series", "statistics", "storage-commitment", "studies", "system"}
    | {"openapi.json", "tools", "webdav"}
)
_RESOURCES: Final = frozenset({"info", "instances", "series", "servers", "studies", "workitems"})
_NO_PATH: Final = re.compile(r"[\s?#\x00-\x1f\x7f]")
_WITHOUT_EFFECT: Final = {
    "EnablePerformanceLogs": "/tools/metrics-prometheus tells what takes how long",
    "MetadataWorkerThreadsCount": "all cores read metadata",
    "StowMaxInstances": "the plugin has given it up too; a stow sends at most 100 at once",
    "StowMaxSize": "the plugin has given it up too; a stow sends at most 32 MB at once",
    "WadoRsLoaderThreadsCount": "files are read ahead, and what fails ends the answer",
}


class DicomWeb(msgspec.Struct, frozen=True, rename="pascal"):
    """The options of DICOMweb: reference chapter 5, section 13. Paths end with a slash, `root` and
    `public_root` begin with one too. What is unknown is passed over, as by the plugin."""

    enable: bool = True
    root: str = "/dicom-web/"
    public_root: str = ""
    enable_wado: bool = True
    wado_root: str = "/wado"
    host: str = ""
    ssl: bool = False
    studies_metadata: MetadataMode = "Full"
    series_metadata: MetadataMode = "Full"
    studies_metadata_extrapolated_tags: tuple[str, ...] = ()
    series_metadata_extrapolated_tags: tuple[str, ...] = ()
    enable_metadata_cache: bool = True
    qido_case_sensitive: bool = False
    other_binary_mode: OtherBinary = "BulkDataURI"
    enable_delete: bool = True  # DELETE of studies, series and instances: ours
    servers: dict[str, Any] = {}
    servers_in_database: bool = False
    client_connections: int = 4  # of one job that sends or retrieves: ours
    client_minimum_rate: int = 100  # bytes per second that another server sends at least: ours


def dicom_web(value: Any) -> DicomWeb:
    """The options of the section `DicomWeb`, with paths in normal form."""
    found = msgspec.convert(value, DicomWeb)
    root = _with_slashes(found.root)
    if root == "/":
        raise ValueError("Root must not be the root of the server: give /dicom-web/, for example")
    if "//" in root:
        raise ValueError(f"Root must not have two slashes in a row: {found.root!r}")
    public = _with_slashes(found.public_root) if found.public_root else root
    wado = "/" + found.wado_root.strip("/")
    if wado == "/":
        raise ValueError("WadoRoot must not be the root of the server: give /wado, for example")
    _check_path("Root", root)
    _check_path("WadoRoot", wado)
    if wado.startswith(root) and wado[len(root) :].partition("/")[0] in _RESOURCES:
        raise ValueError(f"WadoRoot must not hide resources of DICOMweb: {wado!r}")
    if "//" in public or _NO_PATH.search(public):
        raise ValueError(f"PublicRoot is a path, as /pacs/dicom-web/: {found.public_root!r}")
    if "//" in found.host or _NO_PATH.search(found.host):
        raise ValueError(f"Host is a host, and its port: pacs.org:8042, not {found.host!r}")
    if found.client_connections < 1:
        raise ValueError("ClientConnections must be at least 1")
    if found.client_minimum_rate < 0:
        raise ValueError("ClientMinimumRate must not be negative: 0 for none")
    return msgspec.structs.replace(found, root=root, public_root=public, wado_root=wado)


def _check_path(name: str, path: str) -> None:
    """Raises ValueError for a path that no request has, or that hides what is there."""
    if _NO_PATH.search(path):
        raise ValueError(f"{name} has characters that no path has: {path!r}")
    first = path.split("/")[1]
    if first in TAKEN:
        raise ValueError(f"{name} must not hide /{first} of the REST API: {path!r}")


def dicom_web_notes(value: Mapping[str, Any]) -> list[str]:
    """What is to be said of a section `DicomWeb` at the start: options that do nothing here, or
    that nobody knows."""
    known = {field.encode_name for field in msgspec.structs.fields(DicomWeb)}
    notes = []
    for name in sorted(value):
        if name in _WITHOUT_EFFECT:
            notes.append(f"DicomWeb.{name} has no effect: {_WITHOUT_EFFECT[name]}")
        elif name not in known and not name.startswith("_"):
            close = difflib.get_close_matches(name, known, 1)
            hint = f": did you mean {close[0]!r}?" if close else ""
            notes.append(f"unknown option 'DicomWeb.{name}'{hint}")
    return notes


def _with_slashes(path: str) -> str:
    inner = path.removeprefix("/").removesuffix("/")
    return f"/{inner}/" if inner else "/"


def webhooks(value: Any) -> tuple[Webhook, ...]:
    """The targets that the option `Webhooks` lists."""
    found = msgspec.convert(value, tuple[Webhook, ...])
    for hook in found:
        parts = urlsplit(hook.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not an address of HTTP or HTTPS: {hook.url!r}")
        unknown = [event for event in hook.events if event not in EVENTS]
        if unknown:
            raise ValueError(f"no such event: {unknown[0]!r}; there are {', '.join(EVENTS)}")
        if hook.secret.startswith("whsec_"):
            _check_base64(hook.secret[6:])
        if hook.timeout <= 0 or hook.give_up_after < 0:
            raise ValueError("Timeout must be above 0, GiveUpAfter at least 0")
    if len({(hook.url, hook.events) for hook in found}) < len(found):
        raise ValueError("a target is listed twice with the same events")
    return found


def _check_base64(text: str) -> None:
    try:
        found = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        found = b""
    if not found:
        raise ValueError("Secret: what follows whsec_ must be Base64")


def cors(value: Any) -> Cors:
    """The permissions of the option `Cors`."""
    found = msgspec.convert(value, Cors)
    for origin in found.allowed_origins:
        parts = urlsplit(origin)
        whole = f"{parts.scheme}://{parts.netloc}"
        if origin not in ("*", "null") and (not parts.netloc or origin != whole):
            raise ValueError(f'an origin is "*" or like "https://example.org", not {origin!r}')
    if found.allow_credentials and "*" in found.allowed_origins:
        raise ValueError('AllowCredentials with the origin "*" would let every page in')
    return found


def allowed_hosts(value: Any) -> tuple[str, ...] | None:
    """Names of the server in lower case, without ports; None for all."""
    if value is None:
        return None
    found = msgspec.convert(value, tuple[str, ...])
    for name in found:
        if name != "*" and not re.fullmatch(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+", name):
            raise ValueError(f'a name is like "pacs.example.org", without a port, not {name!r}')
    return None if "*" in found else tuple(name.lower().rstrip(".") for name in found)


def trusted_proxies(value: list[Any]) -> tuple[str, ...]:
    """Addresses and networks, in normal form."""
    return tuple(str(ip_network(text)) for text in value)


def http_proxy(value: str) -> str:
    """The address of the proxy, "" for none."""
    if not value:
        return ""
    address = value if "://" in value else f"http://{value}"
    parts = urlsplit(address)
    if parts.scheme != "http" or not parts.hostname or parts.path.strip("/"):
        raise ValueError("must be host:port or user:password@host:port of an HTTP proxy")
    return address


def user_metadata(value: dict[str, Any]) -> dict[str, int]:
    """The names of user-defined metadata and their numbers."""
    _check_numbers(value, METADATA.values())
    return dict(value)


def user_content_types(value: dict[str, Any]) -> dict[str, tuple[int, str]]:
    """The names of user-defined attachments, their numbers and MIME types."""
    found: dict[str, tuple[int, str]] = {}
    for name, entry in value.items():
        match entry:
            case [number, str() as mime]:
                found[name] = (number, mime)
            case [*_]:
                raise ValueError(f"{name!r} must have a number, or a list [number, MIME type]")
            case number:
                found[name] = (number, DEFAULT_MIME_TYPE)
    types = [kind.name for kind in ATTACHMENT_TYPES.values()]
    _check_numbers({name: number for name, (number, _) in found.items()}, types)
    return found


def _check_numbers(names: dict[str, Any], builtin: Collection[str]) -> None:
    """What Orthanc demands of user-defined names: reference chapter 1, section 6.1."""
    for name, number in names.items():
        if isinstance(number, bool) or not isinstance(number, int):
            raise ValueError(f"{name!r} must have a number")
        if not FIRST_USER_NUMBER <= number <= LAST_USER_NUMBER:
            raise ValueError(
                f"{name!r} must have a number from {FIRST_USER_NUMBER} to {LAST_USER_NUMBER}"
            )
        if name in builtin:
            raise ValueError(f"the name {name!r} belongs to the server")
        if re.fullmatch(r"-?\d+", name):
            raise ValueError(f"the name {name!r} must not be a number")
    if len(set(names.values())) < len(names):
        twice = next(n for n in names.values() if list(names.values()).count(n) > 1)
        raise ValueError(f"the number {twice} is given twice")


class Scripting(msgspec.Struct, frozen=True, kw_only=True):
    """The scripts of a site, and what they may cost. Times are in seconds, 0: no limit."""

    lua_scripts: tuple[Path, ...] = ()
    lua_heart_beat: int = 0  # between two calls of OnHeartBeat; 0: none
    execute_lua: bool = False  # /tools/execute-script
    python_script: Path | None = None
    python_verbose: bool = False
    filter_timeout: float = 30.0  # of a filter, which somebody waits for
    event_timeout: float = 600.0  # of an event, a REST callback and a script of execute-script
    on_failure: Literal["Refuse", "Accept"] = "Refuse"  # where a filter gives no answer
    maximum_memory_mb: int = 2048  # of one script process
    routes_need: Right = Right.ADMINISTRATE  # what users need for the routes of scripts
    virtual_environment: Path | None = None  # whose packages a Python script imports

    @property
    def has_lua(self) -> bool:
        return bool(self.lua_scripts) or self.execute_lua


class _ScriptsSection(_Section, frozen=True):
    """This server's own options of scripts."""

    filter_timeout: float = 30.0
    event_timeout: float = 600.0
    on_failure: Literal["Refuse", "Accept"] = "Refuse"
    maximum_memory_mb: int = msgspec.field(default=2048, name="MaximumMemoryMB")
    routes_need: Permission = "administrate"
    virtual_environment: str = ""


class _PythonSection(msgspec.Struct, frozen=True, rename="pascal"):
    """As the plugin has it; what is unknown is passed over, as by the plugin."""

    path: str = ""
    verbose: bool = False


def scripting(value: Any, options: dict[str, Any], here: Path) -> Scripting | None:
    """The options of the section `Scripts`, with those of Orthanc (`options`): None where there is
    neither a script nor a way to run one. Scripts in Lua are looked for from `here`, as Orthanc
    does, the one in Python from the working directory, as its plugin does."""
    own = msgspec.convert(value, _ScriptsSection)
    plugin = msgspec.convert(options["Python"], _PythonSection)
    python = options["PythonScript"]
    if python is None:
        python = plugin.path if "Path" in options["Python"] else None
    if python is not None and not python.endswith(".py"):
        raise ValueError(f"PythonScript must be a file whose name ends with .py, not {python!r}")
    if own.filter_timeout < 0 or own.event_timeout < 0:
        raise ValueError("FilterTimeout and EventTimeout must be at least 0")
    lua = tuple(here / each for each in msgspec.convert(options["LuaScripts"], tuple[str, ...]))
    environment = here / own.virtual_environment if own.virtual_environment else None
    if environment is not None and not (environment / "pyvenv.cfg").is_file():
        raise ValueError(f"VirtualEnvironment: there is no virtual environment in {environment}")
    found = Scripting(
        lua_scripts=lua,
        lua_heart_beat=options["LuaHeartBeatPeriod"],
        execute_lua=options["ExecuteLuaEnabled"],
        python_script=None if python is None else Path(python).absolute(),
        python_verbose=bool(options["PythonVerbose"] or plugin.verbose),
        filter_timeout=own.filter_timeout,
        event_timeout=own.event_timeout,
        on_failure=own.on_failure,
        maximum_memory_mb=own.maximum_memory_mb,
        routes_need=Right[own.routes_need.upper()],
        virtual_environment=environment,
    )
    return found if found.has_lua or found.python_script is not None else None
