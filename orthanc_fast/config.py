"""The configuration: Orthanc's files and options, as typed settings. Source: reference chapter
1, section 11."""

import difflib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from orthanc_fast.character_sets import canonical_character_set
from orthanc_fast.config_audit import AuditLog, audit_log
from orthanc_fast.config_environment import DEFAULTS, SECRETS, add_environment
from orthanc_fast.config_file import UTF_8, decoded, parse, substitute
from orthanc_fast.config_options import (
    BY_NAME,
    INSTEAD,
    OPTIONS,
    PLUGIN_SECTIONS,
    fits,
    is_kind,
    kind_text,
)
from orthanc_fast.config_plugins import (
    Housekeeper,
    ServeFolders,
    Tenant,
    Worklists,
    delayed_deletion,
    housekeeper,
    serve_folders,
    tenants,
    worklists,
)
from orthanc_fast.config_routing import Routing, routing
from orthanc_fast.config_scrubber import Scrubber, scrubber
from orthanc_fast.config_sections import (
    Cors,
    DicomWeb,
    Scripting,
    Webhook,
    allowed_hosts,
    cors,
    dicom_web,
    dicom_web_notes,
    http_proxy,
    scripting,
    trusted_proxies,
    user_content_types,
    user_metadata,
    webhooks,
)
from orthanc_fast.config_users import Sessions, User, sessions, users
from orthanc_fast.config_viewers import (
    Explorer2,
    Ohif,
    VolView,
    explorer_2,
    ohif,
    viewer_notes,
    volview,
)
from orthanc_fast.errors import OrthancError
from orthanc_fast.log import FORMS, Form
from orthanc_fast.transfer_syntaxes import EXPLICIT_LITTLE, SYNTAXES

Overwrite = Literal["Never", "Always", "IfChanged"]
OVERWRITES: tuple[Overwrite, ...] = ("Never", "Always", "IfChanged")
T = TypeVar("T")

# Requests that one HTTP worker works on at a time; further connections wait for their turn.
REQUESTS_AT_ONCE = 4096


class ConfigError(Exception):
    """The configuration cannot be used; the text names file, option and reason."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the program asks of its configuration. Folders are absolute."""

    name: str = "MyOrthanc"
    storage_directory: Path = Path("OrthancStorage")
    index_directory: Path = Path("OrthancStorage")
    storage_compression: bool = False
    store_md5: bool = True
    store_dicom: bool = True
    overwrite_instances: Overwrite = "Never"
    maximum_storage_size: int = 0
    maximum_patient_count: int = 0
    maximum_storage_mode: str = "Recycle"
    read_only: bool = False
    patient_level_enabled: bool = True
    stable_age: int = 60
    check_revisions: bool = False
    default_encoding: str = "Latin1"
    extra_main_dicom_tags: dict[str, list[str]] = {}
    user_metadata: dict[str, int] = {}
    user_content_types: dict[str, tuple[int, str]] = {}  # number and MIME type
    database_server_identifier: str | None = None
    sync_storage_area: bool = True
    store_group: str = ""  # name or number of the group that may read the store
    http_server_enabled: bool = True
    http_port: int = 8042
    http_bind_addresses: tuple[str, ...] = ()
    http_describe_errors: bool = True
    http_compression_enabled: bool = False
    keep_alive: bool = True
    keep_alive_timeout: int = 1
    http_request_timeout: int = 30
    maximum_request_body_size_mb: int = 8192
    maximum_file_size_in_archive_mb: int = 4096
    maximum_archive_size_mb: int = 65536
    maximum_archive_members: int = 250_000
    maximum_archive_ratio: int = 500
    maximum_json_body_size_mb: int = 64
    http_body_timeout: int = 600
    remote_access_allowed: bool = False
    authentication_enabled: bool = False
    authentication_explicit: bool = False
    registered_users: dict[str, str] = {}
    users: tuple[User, ...] = ()
    sessions: Sessions = Sessions()
    ssl_enabled: bool = False
    ssl_certificate: Path = Path("certificate.pem")
    ssl_minimum_protocol_version: int = 4
    ssl_ciphers_accepted: tuple[str, ...] | None = None
    ssl_verify_peers: bool = False
    ssl_trusted_client_certificates: Path = Path("trustedClientCertificates.pem")
    http_proxy: str = ""
    http_verbose: bool = False
    http_timeout: int = 60  # of calls to other servers
    https_verify_peers: bool = True
    https_ca_certificates: Path | None = None
    peer_store_connections: int = 4  # of one job
    dictionary: dict[str, list[Any]] = {}
    load_private_dictionary: bool = True
    external_dictionaries: tuple[Path, ...] = ()
    dicom_aet: str = "ORTHANC"
    dicom_server_enabled: bool = True
    dicom_port: int = 4242
    dicom_workers: int = 1
    query_retrieve_size: int = 100  # queries that are remembered
    dicom_default_retrieve_method: str = "C-MOVE"
    transcode_dicom_protocol: bool = True
    dicom_scu_preferred_transfer_syntax: str = EXPLICIT_LITTLE
    dicom_scu_associations_count: int = 1  # of one job
    ingest_transcoding: str = ""
    ingest_transcoding_of_uncompressed: bool = True
    ingest_transcoding_of_compressed: bool = True
    dicom_lossy_transcoding_quality: int = 90
    default_private_creator: str = ""
    pseudonym_key: str = ""
    transcoder_threads_count: int = 4
    transcoder_cache_size: int = 256  # MB, of one process
    http_workers: int = 1
    index_map_size_gb: int = 1024
    index_journal_size_mb: int = 64
    maximum_upload_memory_mb: int = 16
    maximum_uploads_memory_mb: int = 256  # of one process
    metrics_enabled: bool = True
    log_form: Form = "Auto"
    audit_log: AuditLog | None = None
    log_exported_resources: bool = False
    concurrent_jobs: int = 2
    jobs_history_size: int = 10
    save_jobs: bool = True
    reload_jobs: bool = True  # those of the last run; not an option but `--no-jobs`
    media_archive_size: int = 1
    synchronous_zip_stream: bool = True
    zip_use_utf8: bool = False
    temporary_directory: Path | None = None
    write_to_file_system_enabled: bool = False
    orthanc_explorer_enabled: bool = True
    webdav_enabled: bool = True
    webdav_delete_allowed: bool = False
    webdav_upload_allowed: bool = True
    webhooks: tuple[Webhook, ...] = ()
    routing: Routing | None = None
    dicom_web: DicomWeb = DicomWeb(public_root="/dicom-web/")
    ohif: Ohif | None = None
    volview: VolView | None = None
    explorer_2: Explorer2 | None = None
    worklists: Worklists | None = None  # those that modalities ask this server for
    serve_folders: ServeFolders | None = None
    tenants: tuple[Tenant, ...] = ()  # the DICOM servers of some labels only
    housekeeper: Housekeeper | None = None
    scrubber: Scrubber | None = None
    delayed_deletion: bool = False  # whether a route tells of files that are still to be deleted
    cors: Cors = Cors()
    allowed_hosts: tuple[str, ...] | None = None  # besides this machine's own; None: all
    trusted_proxies: tuple[str, ...] = ()
    scripting: Scripting | None = None  # None: there are no scripts
    configuration_path: str = ""  # the first file or folder that was read, as it was given
    raw: dict[str, Any] = {}  # every option as given, for what reports the configuration


def load(
    paths: Sequence[Path],
    warn: Callable[[str], None] = lambda text: None,
    environment: Mapping[str, str] = os.environ,
    secrets: Path = SECRETS,
) -> Settings:
    """Reads files and folders (their *.json) into settings. Raises ConfigError.

    Variables of the environment and secrets add to them: see `config_environment`. Relative paths
    are resolved against the folder of the first file. Where nothing is given at all the defaults
    hold, and only this machine's own names are admitted (`AllowedHosts`). `warn` hears of options
    that are unknown or not honoured yet.
    """
    values: dict[str, Any] = {}
    origin: dict[str, Path | str] = {}
    for file in _files(paths):
        for key, value in _read(file, environment, warn).items():
            if key in origin:
                raise ConfigError(
                    f"{file}: the option {key!r} is already set in {origin[key]}: give it once"
                )
            values[key] = value
            origin[key] = file
    try:
        add_environment(values, origin, environment, secrets, warn)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if defaults := environment.get(DEFAULTS):
        for key, value in _read(Path(defaults), environment, warn).items():
            if key not in values:
                values[key], origin[key] = value, defaults
    for key, value in values.items():
        _check(key, value, origin[key], warn)
    if isinstance(values.get("DicomWeb"), dict):
        for note in dicom_web_notes(values["DicomWeb"]):
            warn(f"{origin['DicomWeb']}: {note}")
    for note in viewer_notes(values):
        warn(note)
    if not paths and not values:
        values["AllowedHosts"] = []  # nobody has decided about names
    overwrite = values.get("OverwriteInstances")
    if is_kind("uint", overwrite):
        warn(
            f"{origin['OverwriteInstances']}: OverwriteInstances: the number {overwrite} is "
            'ignored as by Orthanc, nothing is overwritten: give "Always" or "Never"'
        )
    settings = _Building(values, origin, _base(paths)).settings()
    if settings.explorer_2 is not None and settings.explorer_2.theme_style is None:
        warn(
            f"OrthancExplorer2: no defaults-{settings.explorer_2.theme}.css in or beside "
            f"{settings.explorer_2.folder}: its pages have no layout without it (docs/viewers.md)"
        )
    if values.get("Users") and not settings.authentication_enabled:
        warn(f"{origin['Users']}: Users has no effect: AuthenticationEnabled is not set to true")
    if settings.serve_folders is not None and settings.serve_folders.problem:
        warn(f"ServeFolders: no folder is served: {settings.serve_folders.problem}")
    return msgspec.structs.replace(settings, configuration_path=str(paths[0]) if paths else "")


def _files(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(entry for entry in path.iterdir() if entry.suffix.lower() == ".json")
        elif path.is_file():
            found.append(path)
        else:
            raise ConfigError(f"{path}: there is no such configuration file or folder")
    return found


def _base(paths: Sequence[Path]) -> Path:
    if not paths:
        return Path.cwd()
    first = paths[0].absolute()
    return first if first.is_dir() else first.parent


def _read(
    file: Path, environment: Mapping[str, str], warn: Callable[[str], None]
) -> dict[str, Any]:
    try:
        text, character_set = decoded(file.read_bytes())
        if character_set != UTF_8:
            warn(f"{file} is not UTF-8 and is read as {character_set}: save it as UTF-8")
        content = parse(substitute(text, environment))
    except (OSError, ValueError, msgspec.DecodeError) as error:
        raise ConfigError(f"{file}: cannot read the configuration: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{file}: the configuration must be one JSON object in {{}}")
    return content


def _check(key: str, value: Any, file: Path | str, warn: Callable[[str], None]) -> None:
    option = BY_NAME.get(key)
    if option is None:
        if key not in PLUGIN_SECTIONS and not key.startswith("_"):
            close = difflib.get_close_matches(key, BY_NAME, 1)
            hint = f": did you mean {close[0]!r}?" if close else ""
            warn(f"{file}: unknown option {key!r}{hint}")
        return
    if not fits(option, value):
        raise ConfigError(
            f"{file}: the option {key!r} must be {kind_text(option.kind)}, not {_short(value)}"
        )
    if not option.honoured and value != option.default:
        why = INSTEAD.get(key, "is known but has no effect in this version")
        warn(f"{file}: the option {key!r} {why}")


def _short(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) < 60 else f"{text[:57]}..."


class _Building:
    """Checked values on their way into Settings, with the rules that join several options."""

    def __init__(self, values: dict[str, Any], origin: dict[str, Path | str], base: Path) -> None:
        self._values = values
        self._origin = origin
        self._base = base

    def _get(self, name: str) -> Any:
        value = self._values.get(name)
        return BY_NAME[name].default if value is None else value

    def _path(self, name: str) -> Path:
        return self._base / str(self._get(name))

    def _refuse(self, name: str, reason: str) -> ConfigError:
        return ConfigError(f"{self._origin.get(name, 'configuration')}: {name}: {reason}")

    def settings(self) -> Settings:
        get = self._get
        remote = get("RemoteAccessAllowed")
        explicit = get("AuthenticationEnabled")
        self._check_conflicts()
        storage = self._path("StorageDirectory")
        return Settings(
            name=get("Name"),
            storage_directory=storage,
            index_directory=self._path("IndexDirectory") if get("IndexDirectory") else storage,
            storage_compression=get("StorageCompression"),
            store_md5=get("StoreMD5ForAttachments"),
            store_dicom=get("StoreDicom"),
            overwrite_instances=self._overwrite(),
            maximum_storage_size=get("MaximumStorageSize"),
            maximum_patient_count=get("MaximumPatientCount"),
            maximum_storage_mode=get("MaximumStorageMode"),
            read_only=get("ReadOnly"),
            patient_level_enabled=get("PatientLevelEnabled"),
            stable_age=get("StableAge") or 60,
            check_revisions=get("CheckRevisions"),
            default_encoding=self._encoding(),
            extra_main_dicom_tags=get("ExtraMainDicomTags") or {},
            user_metadata=self._section("UserMetadata", user_metadata),
            user_content_types=self._section("UserContentType", user_content_types),
            database_server_identifier=self._identifier(),
            sync_storage_area=get("SyncStorageArea"),
            store_group=get("StoreGroup"),
            http_server_enabled=get("HttpServerEnabled"),
            http_port=get("HttpPort"),
            http_bind_addresses=tuple(get("HttpBindAddresses") or ()),
            http_describe_errors=get("HttpDescribeErrors"),
            http_compression_enabled=get("HttpCompressionEnabled"),
            keep_alive=get("KeepAlive"),
            keep_alive_timeout=get("KeepAliveTimeout"),
            http_request_timeout=get("HttpRequestTimeout"),
            maximum_request_body_size_mb=get("MaximumRequestBodySizeMB"),
            maximum_file_size_in_archive_mb=get("MaximumFileSizeInArchiveMB"),
            maximum_archive_size_mb=get("MaximumArchiveSizeMB"),
            maximum_archive_members=get("MaximumArchiveMembers"),
            maximum_archive_ratio=get("MaximumArchiveRatio"),
            maximum_json_body_size_mb=get("MaximumJsonBodySizeMB"),
            http_body_timeout=get("HttpBodyTimeout"),
            remote_access_allowed=remote,
            authentication_enabled=remote if explicit is None else explicit,
            authentication_explicit=explicit is not None,
            registered_users=self._users(),
            users=self._section("Users", lambda value: users(value, self._users())),
            sessions=self._section("Sessions", sessions),
            ssl_enabled=get("SslEnabled"),
            ssl_certificate=self._path("SslCertificate"),
            ssl_minimum_protocol_version=get("SslMinimumProtocolVersion"),
            ssl_ciphers_accepted=self._texts("SslCiphersAccepted"),
            ssl_verify_peers=get("SslVerifyPeers"),
            ssl_trusted_client_certificates=self._path("SslTrustedClientCertificates"),
            http_proxy=self._section("HttpProxy", http_proxy),
            http_verbose=get("HttpVerbose"),
            http_timeout=get("HttpTimeout"),
            https_verify_peers=get("HttpsVerifyPeers"),
            https_ca_certificates=(
                self._path("HttpsCACertificates") if get("HttpsCACertificates") else None
            ),
            peer_store_connections=get("PeerStoreConnections"),
            dictionary=get("Dictionary"),
            load_private_dictionary=get("LoadPrivateDictionary"),
            external_dictionaries=tuple(
                self._base / path for path in get("ExternalDictionaries") or ()
            ),
            dicom_aet=get("DicomAet").strip(),
            dicom_server_enabled=get("DicomServerEnabled"),
            dicom_port=get("DicomPort"),
            dicom_workers=get("DicomWorkers") or os.cpu_count() or 1,
            query_retrieve_size=get("QueryRetrieveSize"),
            dicom_default_retrieve_method=get("DicomDefaultRetrieveMethod"),
            transcode_dicom_protocol=get("TranscodeDicomProtocol"),
            dicom_scu_preferred_transfer_syntax=get("DicomScuPreferredTransferSyntax"),
            dicom_scu_associations_count=get("DicomScuAssociationsCount"),
            ingest_transcoding=get("IngestTranscoding") or "",
            ingest_transcoding_of_uncompressed=get("IngestTranscodingOfUncompressed"),
            ingest_transcoding_of_compressed=get("IngestTranscodingOfCompressed"),
            dicom_lossy_transcoding_quality=get("DicomLossyTranscodingQuality"),
            default_private_creator=get("DefaultPrivateCreator"),
            pseudonym_key=get("PseudonymKey"),
            transcoder_threads_count=get("TranscoderThreadsCount"),
            transcoder_cache_size=get("TranscoderCacheSize"),
            http_workers=get("HttpWorkers") or os.cpu_count() or 1,
            index_map_size_gb=max(1, get("IndexMapSizeGB")),
            index_journal_size_mb=get("IndexJournalSizeMB"),
            maximum_upload_memory_mb=get("MaximumUploadMemoryMB"),
            maximum_uploads_memory_mb=get("MaximumUploadsMemoryMB"),
            metrics_enabled=get("MetricsEnabled"),
            log_form=self._log_form(),
            audit_log=self._section("AuditLog", lambda value: audit_log(value, self._base)),
            log_exported_resources=get("LogExportedResources"),
            concurrent_jobs=get("ConcurrentJobs") or os.cpu_count() or 1,
            jobs_history_size=get("JobsHistorySize"),
            save_jobs=get("SaveJobs"),
            media_archive_size=get("MediaArchiveSize"),
            synchronous_zip_stream=get("SynchronousZipStream"),
            zip_use_utf8=get("ZipUseUtf8"),
            temporary_directory=(
                self._path("TemporaryDirectory") if get("TemporaryDirectory") else None
            ),
            write_to_file_system_enabled=get("RestApiWriteToFileSystemEnabled"),
            orthanc_explorer_enabled=get("OrthancExplorerEnabled"),
            webdav_enabled=get("WebDavEnabled"),
            webdav_delete_allowed=get("WebDavDeleteAllowed"),
            webdav_upload_allowed=get("WebDavUploadAllowed"),
            webhooks=self._section("Webhooks", webhooks),
            routing=self._section("Routing", lambda value: routing(value, self._base)),
            cors=self._section("Cors", cors),
            dicom_web=self._section("DicomWeb", dicom_web),
            ohif=self._section("OHIF", lambda value: ohif(value, self._base)),
            volview=self._section("VolView", lambda value: volview(value, self._base)),
            explorer_2=self._section(
                "OrthancExplorer2", lambda value: explorer_2(value, self._base)
            ),
            worklists=self._section("Worklists", lambda value: worklists(value, self._base)),
            housekeeper=self._section("Housekeeper", housekeeper),
            scrubber=self._section("Scrubber", scrubber),
            delayed_deletion=self._section("DelayedDeletion", delayed_deletion),
            tenants=self._section("MultitenantDicom", tenants),
            serve_folders=self._section(
                "ServeFolders", lambda value: serve_folders(value, self._base)
            ),
            allowed_hosts=self._section("AllowedHosts", allowed_hosts),
            trusted_proxies=self._section("TrustedProxies", trusted_proxies),
            scripting=self._section("Scripts", self._scripting),
            raw=self._values,
        )

    def _scripting(self, value: Any) -> Scripting | None:
        names = (
            *("LuaScripts", "LuaHeartBeatPeriod", "ExecuteLuaEnabled"),
            *("Python", "PythonScript", "PythonVerbose"),
        )
        return scripting(value, {name: self._get(name) for name in names}, self._base)

    def _check_conflicts(self) -> None:
        get = self._get
        if not 0 < get("HttpPort") < 65536:
            raise self._refuse("HttpPort", "a port is a number from 1 to 65535")
        self._check_ports()
        if get("HttpRequestTimeout") == 0:
            raise self._refuse("HttpRequestTimeout", "must be at least 1 second")
        if not 1 <= get("DicomLossyTranscodingQuality") <= 100:
            raise self._refuse("DicomLossyTranscodingQuality", "must be from 1 to 100")
        if get("TranscoderThreadsCount") == 0:
            raise self._refuse("TranscoderThreadsCount", "must be at least 1")
        preferred = get("DicomScuPreferredTransferSyntax")
        if preferred not in SYNTAXES:
            raise self._refuse(
                "DicomScuPreferredTransferSyntax", f"unknown transfer syntax {preferred!r}"
            )
        if get("DicomScuAssociationsCount") == 0:
            raise self._refuse("DicomScuAssociationsCount", "must be at least 1")
        if get("PeerStoreConnections") == 0:
            raise self._refuse("PeerStoreConnections", "must be at least 1")
        if get("MediaArchiveSize") == 0:
            raise self._refuse("MediaArchiveSize", "must be at least 1")
        if get("DicomDefaultRetrieveMethod") not in ("C-MOVE", "C-GET", "SystemDefault"):
            raise self._refuse(
                "DicomDefaultRetrieveMethod", 'must be "C-MOVE", "C-GET" or "SystemDefault"'
            )
        if self._get("QueryRetrieveSize") < 1:
            raise self._refuse("QueryRetrieveSize", "must be at least 1")
        if get("CheckRevisions") and not get("StoreMD5ForAttachments"):
            raise self._refuse("CheckRevisions", "needs StoreMD5ForAttachments")
        for name in ("MaximumStorageSize", "MaximumPatientCount"):
            if get(name) and not get("PatientLevelEnabled"):
                raise self._refuse(name, "needs PatientLevelEnabled: patients are what is recycled")

    def _check_ports(self) -> None:
        taken = {self._get("HttpPort"): "HttpPort"}
        if self._get("DicomServerEnabled"):
            taken[self._get("DicomPort")] = "DicomPort"
        for tenant in self._section("MultitenantDicom", tenants):
            if tenant.port in taken:
                raise self._refuse(
                    "MultitenantDicom",
                    f"{tenant.aet}: the port {tenant.port} is that of {taken[tenant.port]} already",
                )
            taken[tenant.port] = tenant.aet

    def _texts(self, name: str) -> tuple[str, ...] | None:
        value = self._get(name)
        if value is None:
            return None
        if not all(isinstance(each, str) for each in value):
            raise self._refuse(name, "must be a list of texts")
        return tuple(value)

    def _overwrite(self) -> Overwrite:
        value = self._get("OverwriteInstances")
        if isinstance(value, bool):
            return "Always" if value else "Never"
        if isinstance(value, int):
            return "Never"
        rule = next((each for each in OVERWRITES if each == value), None)
        if rule is None:
            raise self._refuse("OverwriteInstances", 'must be "Never", "Always" or "IfChanged"')
        if rule == "IfChanged" and not self._get("StoreMD5ForAttachments"):
            raise self._refuse("OverwriteInstances", '"IfChanged" needs StoreMD5ForAttachments')
        return rule

    def _log_form(self) -> Form:
        value = self._get("LogFormat")
        form = next((each for each in FORMS if each == value), None)
        if form is None:
            raise self._refuse("LogFormat", f"must be one of {', '.join(FORMS)}")
        return form

    def _section(self, name: str, make: Callable[[Any], T]) -> T:
        try:
            return make(self._get(name))
        except ValueError as error:
            raise self._refuse(name, str(error)) from error

    def _encoding(self) -> str:
        value = self._get("DefaultEncoding")
        try:
            return canonical_character_set(value)
        except OrthancError as error:
            raise self._refuse("DefaultEncoding", str(error.details)) from error

    def _identifier(self) -> str | None:
        value = self._get("DatabaseServerIdentifier")
        if value == "":
            raise self._refuse("DatabaseServerIdentifier", "must not be empty")
        return None if value is None else str(value)

    def _users(self) -> dict[str, str]:
        users = self._get("RegisteredUsers")
        remote = self._get("RemoteAccessAllowed")
        explicit = self._get("AuthenticationEnabled")
        if self._get("Users") and explicit is None and not remote:
            raise self._refuse(
                "Users",
                "nobody has to log in, so it would have no effect: set AuthenticationEnabled to "
                "true, or to false if that is wanted",
            )
        if users is None:
            if remote and explicit is not False and not self._get("Users"):
                raise self._refuse(
                    "RegisteredUsers",
                    "remote access with authentication needs users: name them, give the variable "
                    "ORTHANC_PASSWORD, or set AuthenticationEnabled to false",
                )
            return {}
        for name, password in users.items():
            if ":" in name:
                raise self._refuse("RegisteredUsers", f"the name {name!r} must not contain a colon")
            if not isinstance(password, str):
                raise self._refuse("RegisteredUsers", f"the password of {name!r} must be a text")
            if not password:
                raise self._refuse(
                    "RegisteredUsers",
                    f"the password of {name!r} is empty: give one (where it is ${{NAME}}, set that "
                    "variable)",
                )
        return dict(users)


def default_file() -> str:
    """The default configuration as a file with comments: what `orthanc-fast config` prints."""
    lines = ["{"]
    for option in OPTIONS:
        note = "" if option.honoured else " (no effect in this version)"
        lines.append(f"  // {option.meaning[:1].upper()}{option.meaning[1:]}{note}")
        value = msgspec.json.encode(option.default).decode()
        if option.default is None:
            lines.append(f'  // "{option.name}" : ...')
        else:
            lines.append(f'  "{option.name}" : {value},')
        lines.append("")
    return "\n".join([*lines[:-1], "}", ""])
