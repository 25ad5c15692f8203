"""The one table of configuration options: every option of Orthanc, and those of this server.

Sources: reference chapter 1, sections 11.2 and 11.3; chapter 4, section 0. From it come the
typed `Settings`, the output of `orthanc-fast config` and the warnings about options that have no
effect yet.
"""

from typing import Any, NamedTuple


class Option(NamedTuple):
    """`kind` is bool, int, uint, str, object, array, or several joined by `|`; `default` None is
    unset. `honoured` is False while this server knows the option and does nothing with it."""

    name: str
    kind: str
    default: Any
    honoured: bool
    meaning: str


def _yes(name: str, kind: str, default: Any, meaning: str) -> Option:
    return Option(name, kind, default, True, meaning)


def _no(name: str, kind: str, default: Any, meaning: str) -> Option:
    return Option(name, kind, default, False, meaning)


OPTIONS: tuple[Option, ...] = (
    # General
    _yes("Name", "str", "MyOrthanc", "label of this server, shown by /system"),
    _yes("StorageDirectory", "str", "OrthancStorage", "folder of the DICOM files"),
    _yes("IndexDirectory", "str", None, "folder of the index; default: StorageDirectory"),
    _yes("StorageCompression", "bool", False, "compress the files that are stored from now on"),
    _yes("StoreMD5ForAttachments", "bool", True, "offer the MD5 of attachments"),
    _yes("StoreDicom", "bool", True, "false: keep the index only, not the files"),
    _yes("OverwriteInstances", "str|bool|uint", "Never", '"Never", "Always" or "IfChanged"'),
    _yes("MaximumStorageSize", "uint", 0, "MB, 0: unlimited"),
    _yes("MaximumPatientCount", "uint", 0, "0: unlimited"),
    _yes("MaximumStorageMode", "str", "Recycle", '"Recycle" or "Reject"'),
    _yes("ReadOnly", "bool", False, "refuse every change of the store"),
    _yes("PatientLevelEnabled", "bool", True, "offer the routes below /patients"),
    _yes("StableAge", "uint", 60, "seconds without new instances after which a resource is stable"),
    _yes(
        "CheckRevisions", "bool", False, "demand If-Match for changes of metadata and attachments"
    ),
    _yes("DefaultEncoding", "str", "Latin1", "character set of files that name none"),
    _yes("ExtraMainDicomTags", "object", None, "more tags to be indexed, per level"),
    _yes("Warnings", "object", None, "single warnings to be switched off"),
    _yes("UserMetadata", "object", {}, "names of user-defined metadata: numbers from 1024"),
    _yes("UserContentType", "object", {}, "names of user-defined attachments: numbers from 1024"),
    _yes("LimitFindResults", "uint", 0, "answers at most this many resources to a query"),
    _yes("LimitFindInstances", "uint", 0, "answers at most this many instances to a query"),
    _yes("StorageAccessOnFind", "str", "Always", '"Always", "Answers" or "Never"'),
    _yes("CaseSensitivePN", "bool", False, "compare names case-sensitively in C-FIND"),
    _yes("LogExportedResources", "bool", False, "log what is sent to other servers"),
    _yes("MetricsEnabled", "bool", True, "collect metrics"),
    _yes("LogFormat", "str", "Auto", '"Text", "Journal", "Json"; "Auto": Journal under systemd'),
    _yes("AuditLog", "object", {}, "who did what: docs/operations.md"),
    _yes("ExecuteLuaEnabled", "bool", False, "allow /tools/execute-script"),
    _yes("RestApiWriteToFileSystemEnabled", "bool", False, "allow routes that write files"),
    _yes("DatabaseServerIdentifier", "str", None, "identifier of this server in /system"),
    _yes("SyncStorageArea", "bool", True, "acknowledge only what has reached the disk"),
    _yes("TemporaryDirectory", "str", None, "what jobs make lies here, else in the storage folder"),
    _no("MallocArenaMax", "uint", 5, "memory allocator"),
    _no("Locale", "str", None, "locale of comparisons"),
    _no("Pkcs11", "object", None, "smart cards"),
    # HTTP server
    _yes("HttpServerEnabled", "bool", True, "offer the REST API"),
    _yes("OrthancExplorerEnabled", "bool", True, "offer the front page below /app"),
    _yes("HttpPort", "uint", 8042, "port of the REST API"),
    _yes("HttpBindAddresses", "array", None, "addresses to listen on; default: all"),
    _no("HttpThreadsCount", "uint", 50, "see HttpWorkers"),
    _yes("HttpDescribeErrors", "bool", True, "describe errors in the answers"),
    _yes("HttpCompressionEnabled", "bool", False, "compress answers for clients that accept it"),
    _yes("KeepAlive", "bool", True, "keep connections open"),
    _yes("KeepAliveTimeout", "uint", 1, "seconds, told to the clients"),
    _no("TcpNoDelay", "bool", True, "always on"),
    _yes("HttpRequestTimeout", "uint", 30, "seconds to wait for more of a request"),
    _yes("MaximumRequestBodySizeMB", "uint", 8192, "largest body, 0: unlimited"),
    _yes("MaximumFileSizeInArchiveMB", "uint", 4096, "largest member of an archive, 0: unlimited"),
    _yes("RemoteAccessAllowed", "bool", False, "serve other hosts than this one"),
    _yes("AuthenticationEnabled", "bool", None, "ask for a password; default: RemoteAccessAllowed"),
    _yes("RegisteredUsers", "object", None, "user names and their passwords"),
    _yes("Users", "object", {}, "what users may do and see: docs/users.md"),
    _yes("Sessions", "object", {}, "how long log-ins and share links last: docs/users.md"),
    _yes("SslEnabled", "bool", False, "HTTPS"),
    _yes("SslCertificate", "str", "certificate.pem", "file with private key and certificate"),
    _yes("SslMinimumProtocolVersion", "uint", 4, "4: TLS 1.2, 5: TLS 1.3"),
    _yes("SslCiphersAccepted", "array", None, "of HTTPS; the server cannot limit its own"),
    _yes("SslVerifyPeers", "bool", False, "ask clients for a certificate"),
    _yes("SslTrustedClientCertificates", "str", "trustedClientCertificates.pem", "their issuers"),
    _yes("WebDavEnabled", "bool", True, "offer /webdav"),
    _yes("WebDavDeleteAllowed", "bool", False, "allow deletions by WebDAV"),
    _yes("WebDavUploadAllowed", "bool", True, "allow uploads by WebDAV"),
    # Transcoding, caches and threads of Orthanc
    _yes("IngestTranscoding", "str", None, "transfer syntax into which new instances are brought"),
    _yes("IngestTranscodingOfUncompressed", "bool", True, "also uncompressed ones"),
    _yes("IngestTranscodingOfCompressed", "bool", True, "also compressed ones"),
    _no("MaximumStorageCacheSize", "uint", 128, "the page cache serves instead"),
    _no("StorageLoaderThreadsCount", "uint", None, "threads of Orthanc"),
    _no("StorageMemoryCapacity", "uint", 512, "memory of Orthanc's threads"),
    _no("DicomParserThreadsCount", "uint", 2, "threads of Orthanc"),
    _no("DicomParserMemoryCapacity", "uint", 256, "memory of Orthanc's threads"),
    _no("DicomParserCacheSize", "uint", 256, "cache of Orthanc"),
    _yes("TranscoderThreadsCount", "uint", 4, "threads that transcode, per worker"),
    _no("TranscoderMemoryCapacity", "uint", 256, "memory of Orthanc's threads"),
    _yes("TranscoderCacheSize", "uint", 256, "MB of transcoded files that a worker keeps"),
    _no("MaximumConcurrentDcmtkTranscoders", "uint", 0, "threads of Orthanc"),
    _no("SequentialDicomReaderThreadsCount", "uint", None, "threads of Orthanc"),
    _no("SequentialDicomReaderWindowSize", "uint", 4, "threads of Orthanc"),
    _no("SequentialDicomReaderWindowCapacity", "uint", 128, "threads of Orthanc"),
    _no("LoaderThreads", "uint", None, "threads of Orthanc up to 1.12.11"),
    _no("ZipLoaderThreads", "uint", None, "threads of Orthanc up to 1.12.11"),
    # Jobs and archives
    _yes("ConcurrentJobs", "uint", 2, "jobs that run at the same time, 0: CPU cores"),
    _yes("JobsHistorySize", "uint", 10, "finished jobs that are remembered"),
    _yes("SaveJobs", "bool", True, "keep jobs over a restart"),
    _no("JobsEngineThreadsCount", "object", {"ResourceModification": 1}, "threads per kind of job"),
    _yes("MediaArchiveSize", "uint", 1, "outputs of jobs that are kept for download"),
    _yes("SynchronousZipStream", "bool", True, "stream archives while they are made"),
    _yes("ZipUseUtf8", "bool", False, "names in archives as UTF-8"),
    _yes("DicomLossyTranscodingQuality", "uint", 90, "1 to 100"),
    _no("BuiltinDecoderTranscoderOrder", "str", "After", '"After", "Before" or "Disabled"'),
    # Dictionaries
    _yes("Dictionary", "object", {}, "more tags: [VR, name, minimum, maximum, private creator]"),
    _yes("LoadPrivateDictionary", "bool", True, "know private tags of the manufacturers"),
    _yes(
        "ExternalDictionaries", "array", None, "DCMTK dictionary files instead of the built-in one"
    ),
    _yes("DefaultPrivateCreator", "str", "", "private creator of tags that are set"),
    # Lua, plugins, HTTP client
    _yes("LuaScripts", "array", [], "scripts to load"),
    _yes("LuaHeartBeatPeriod", "uint", 0, "seconds between calls of OnHeartBeat"),
    _yes("PythonScript", "str", None, "script to load, with a name that ends with .py"),
    _yes("PythonVerbose", "bool", False, "log what it registers"),
    _yes("Python", "object", {}, "the same as a section: Path, Verbose"),
    _yes("Scripts", "object", {}, "limits of all scripts: docs/scripting.md"),
    _no("Plugins", "array", [], "plugins to load"),
    _no("DicomAssociationCloseDelay", "uint", 5, "seconds that an association stays open"),
    _yes("OrthancPeers", "object", {}, "other servers"),
    _yes("OrthancPeersInDatabase", "bool", False, "keep them in the index"),
    _yes("HttpProxy", "str", "", "of calls to other servers: host:port or user:password@host:port"),
    _yes("HttpVerbose", "bool", False, "log the calls to other servers"),
    _yes("HttpTimeout", "uint", 60, "seconds that a call to another server may take, 0: any time"),
    _yes("HttpsVerifyPeers", "bool", True, "check the certificates of other servers"),
    _yes("HttpsCACertificates", "str", "", "file of trusted issuers; default: the system's"),
    # DICOM
    _yes("DicomServerEnabled", "bool", True, "offer DICOM services"),
    _yes("DicomAet", "str", "ORTHANC", "application entity title of this server"),
    _yes("DicomCheckCalledAet", "bool", False, "refuse associations for other titles"),
    _yes("DicomPort", "uint", 4242, "port of the DICOM services"),
    _no("DicomThreadsCount", "uint", 4, "see DicomWorkers"),
    _yes("DicomScpTimeout", "uint", 30, "seconds"),
    _yes("MaximumPduLength", "uint", 131072, "bytes, 4096 to 131072"),
    _yes("AcceptedTransferSyntaxes", "array|str", None, "default: all"),
    _yes("DeflatedTransferSyntaxAccepted", "bool", None, "adds or removes a group"),
    _yes("JpegTransferSyntaxAccepted", "bool", None, "adds or removes a group"),
    _yes("Jpeg2000TransferSyntaxAccepted", "bool", None, "adds or removes a group"),
    _yes("JpegLosslessTransferSyntaxAccepted", "bool", None, "adds or removes a group"),
    _yes("JpipTransferSyntaxAccepted", "bool", None, "adds or removes a group"),
    _yes("Mpeg2TransferSyntaxAccepted", "bool", None, "adds or removes a group"),
    _yes("Mpeg4TransferSyntaxAccepted", "bool", None, "adds or removes a group"),
    _yes("RleTransferSyntaxAccepted", "bool", None, "adds or removes a group"),
    _yes("H265TransferSyntaxAccepted", "bool", None, "adds or removes a group"),
    _yes("UnknownSopClassAccepted", "bool", False, "accept storage of unknown SOP classes"),
    _yes("AcceptedSopClasses", "array", None, "default: the storage classes of the standard"),
    _yes("RejectedSopClasses", "array", None, "taken away from them"),
    _yes("RejectSopClasses", "array", None, "the same"),
    _yes("StrictAetComparison", "bool", False, "compare titles case-sensitively"),
    _yes("DicomCheckModalityHost", "bool", False, "compare the address of modalities"),
    _yes("DicomAlwaysAllowEcho", "bool", True, "from unknown modalities"),
    _yes("DicomAlwaysAllowStore", "bool", True, "from unknown modalities"),
    _yes("DicomAlwaysAllowFind", "bool", False, "from unknown modalities"),
    _yes("DicomAlwaysAllowFindWorklist", "bool", False, "from unknown modalities"),
    _yes("DicomAlwaysAllowGet", "bool", False, "from unknown modalities"),
    _yes("DicomAlwaysAllowMove", "bool", False, "from unknown modalities"),
    _yes("SynchronousCMove", "bool", True, "answer C-MOVE when it is done"),
    _yes("TranscodeDicomProtocol", "bool", True, "transcode what a modality cannot take"),
    _yes("DeidentifyLogs", "bool", True, "keep patient data out of the logs"),
    _yes("DeidentifyLogsDicomVersion", "str", "2023b", "by this edition of the standard"),
    _yes("DicomModalities", "object", {}, "known modalities"),
    _yes("DicomModalitiesInDatabase", "bool", False, "keep them in the index"),
    _yes("DicomScuTimeout", "uint", 10, "seconds, 0: none"),
    _yes("DicomScuPreferredTransferSyntax", "str", "1.2.840.10008.1.2.1", "when sending"),
    _yes("DicomEchoChecksFind", "bool", False, "/echo also tries C-FIND"),
    _yes("DicomDefaultRetrieveMethod", "str", "C-MOVE", '"C-MOVE" or "C-GET"'),
    _yes("StorageCommitmentReportsSize", "uint", 100, "reports that are remembered, 0: any number"),
    _yes("QueryRetrieveSize", "uint", 100, "queries that are remembered"),
    _yes("DicomTlsEnabled", "bool", False, "DICOM over TLS"),
    _yes("DicomTlsCertificate", "str", None, "file"),
    _yes("DicomTlsPrivateKey", "str", None, "file"),
    _yes("DicomTlsTrustedCertificates", "str", None, "file"),
    _yes("DicomTlsRemoteCertificateRequired", "bool", True, "ask the other side for a certificate"),
    _yes("DicomTlsMinimumProtocolVersion", "uint", 0, "0: as BCP 195"),
    _yes("DicomTlsCiphersAccepted", "array", None, "ciphers"),
    # This server's own
    _yes("HttpWorkers", "uint", 0, "processes of the REST API, 0: CPU cores"),
    _yes("DicomWorkers", "uint", 0, "processes of the DICOM services, 0: CPU cores"),
    _yes(
        "DicomScuAssociationsCount",
        "uint",
        1,
        "over which one job sends to a modality at the same time",
    ),
    _yes("PeerStoreConnections", "uint", 4, "over which one job sends to a peer at the same time"),
    _yes("DicomMaximumAssociations", "uint", 1024, "at once; 0: unlimited"),
    _yes("IndexMapSizeGB", "uint", 1024, "address space of the index: its greatest size on disk"),
    _yes("IndexJournalSizeMB", "uint", 64, "file that makes writes durable; 0: without one"),
    _yes("StoreGroup", "str", "", "group that may read files and index, by name or number"),
    _yes(
        "PseudonymKey", "str", "", "anonymizations give the same identifiers again; keep it secret"
    ),
    _yes("MaximumUploadMemoryMB", "uint", 16, "larger uploads go to the disk at once"),
    _yes(
        "MaximumUploadsMemoryMB",
        "uint",
        256,
        "of all uploads of a worker together; what exceeds it goes to the disk",
    ),
    _yes(
        "MaximumJsonBodySizeMB", "uint", 64, "of bodies that are no uploads: JSON, texts; 0: none"
    ),
    _yes("MaximumArchiveSizeMB", "uint", 65536, "of all that an upload holds, unpacked; 0: none"),
    _yes("MaximumArchiveMembers", "uint", 250_000, "entries of an archive; 0: no limit"),
    _yes(
        "MaximumArchiveRatio",
        "uint",
        500,
        "of unpacked to packed size, of an upload that holds more than 1 GB; 0: no limit",
    ),
    _yes(
        "HttpBodyTimeout",
        "uint",
        600,
        "seconds that a body, or a client that reads a part of a streamed answer, may take, and "
        "one more for every 16 KB; 0: no limit",
    ),
    _yes("Webhooks", "array", [], "who is told of stable resources"),
    _yes("Routing", "object", None, "rules by which instances are sent on: docs/routing.md"),
    _yes("DicomWeb", "object", {}, "the section of DICOMweb: docs/dicomweb.md"),
    _yes("OHIF", "object", {}, "the viewer, with the folder of its files: docs/viewers.md"),
    _yes("VolView", "object", {}, "the viewer, with the folder of its files: docs/viewers.md"),
    _yes(
        "OrthancExplorer2",
        "object",
        {},
        "the interface, with the folder of its files: docs/viewers.md",
    ),
    _yes("Worklists", "object", {}, "worklists for modalities: docs/worklists.md"),
    _yes("ServeFolders", "object", {}, "folders served over HTTP: docs/bundled-plugins.md"),
    _yes("Housekeeper", "object", {}, "reconstruct after changes: docs/bundled-plugins.md"),
    _yes("Scrubber", "object", {}, "read stored files for damage: docs/operations.md"),
    _yes("DelayedDeletion", "object", None, "tell of files to be deleted: docs/bundled-plugins.md"),
    _yes(
        "MultitenantDicom",
        "object",
        {},
        "DICOM servers for what has some labels only: docs/bundled-plugins.md",
    ),
    _yes("Cors", "object", {}, "pages of other origins that may use this server"),
    _yes(
        "AllowedHosts",
        "array",
        None,
        'names besides this machine\'s own that clients may use for this server, ["*"]: all; '
        "default: all, but none where no configuration is given",
    ),
    _yes("TrustedProxies", "array", [], "addresses of the reverse proxies in front of this server"),
)

BY_NAME: dict[str, Option] = {option.name: option for option in OPTIONS}


def fits(option: Option, value: Any) -> bool:
    """Whether the value is of a kind that the option takes."""
    if value is None:
        return option.default is None
    return any(is_kind(kind, value) for kind in option.kind.split("|"))


def is_kind(kind: str, value: Any) -> bool:
    """Whether a value of JSON is of this one kind."""
    if kind == "bool":
        return isinstance(value, bool)
    if kind == "uint":
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if kind == "str":
        return isinstance(value, str)
    if kind == "object":
        return isinstance(value, dict)
    return isinstance(value, list)


def kind_text(kind: str) -> str:
    """A kind in the words of an error message."""
    names = {
        "bool": "true or false",
        "uint": "a number from 0",
        "str": "a text",
        "object": "an object {}",
        "array": "a list []",
    }
    return " or ".join(names[part] for part in kind.split("|"))


class Values:
    """Looks options of a configuration up, with the defaults of the table."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self._raw = raw

    def __call__(self, name: str) -> Any:
        value = self._raw.get(name)
        return BY_NAME[name].default if value is None and name in BY_NAME else value


# What a warning says of options without effect that have something in their place.
INSTEAD = {
    "Plugins": "has no effect: what Orthanc's bundled plugins do is part of this server "
    "(docs/bundled-plugins.md), others cannot be loaded: remove the option",
}

# Sections of plugins that sites running Orthanc have in their files.
PLUGIN_SECTIONS = frozenset(
    {
        "AWS",
        "AdvancedStorage",
        "Authorization",
        "AzureBlobStorage",
        "Gdcm",
        "GoogleCloudStorage",
        "Indexer",
        "Java",
        "MySQL",
        "Neuro",
        "Odbc",
        "OsimisWebViewer",
        "PostgreSQL",
        "StoneWebViewer",
        "TCIA",
        "Transfers",
        "WebViewer",
        "WholeSlideImaging",
    }
)
