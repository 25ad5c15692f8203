"""The DICOM conformance statement: what this server, as it is configured now, accepts and offers.

Source: PS3.2, annex A, for what to say; reference chapter 1, section 10.2, for where.
"""

from collections.abc import Iterable
from typing import Final

from orthanc_fast.config import Settings
from orthanc_fast.config_options import BY_NAME
from orthanc_fast.services.scp import sop_classes as scp_classes
from orthanc_fast.services.scp import transfer_syntaxes as scp_syntaxes
from orthanc_fast.services.scp.policy import ScpPolicy

TITLE: Final = "DICOM Conformance Statement of orthanc_fast"


def conformance_statement(settings: Settings, policy: ScpPolicy) -> str:
    """The statement as text: what is answered (SCP), then what is asked of others (SCU)."""
    lines = ["=" * len(TITLE), TITLE, "=" * len(TITLE)]
    lines += _section("Application entity", *_entity(settings))
    if settings.dicom_server_enabled:
        lines += _answered(policy, settings)
    else:
        lines += _section("Service classes", "None as SCP: the DICOM server is switched off.")
    lines += _asked(settings)
    return "\n".join(lines) + "\n"


def _answered(policy: ScpPolicy, settings: Settings) -> list[str]:
    return [
        *_service("Verification service class: SCP of C-ECHO", [scp_classes.VERIFICATION]),
        *_section("Storage service class: SCP of C-STORE", *_storage(policy)),
        *_service(
            "Query/Retrieve service class: SCP of C-FIND",
            scp_classes.QUERY_RETRIEVE_FIND,
            "Levels: PATIENT, STUDY, SERIES, IMAGE, each in both models; keys of the levels above",
            "may be missing (relational queries), without extended negotiation.",
            "Keys: every attribute. Matching: single value, list, wildcard, range of dates and",
            "times, universal. Sequences are returned, not matched. Names match in any case.",
            "Computed: modalities and SOP classes in study, numbers of related entities, instance",
            "availability.",
            "Statuses: 0xFF00, 0x0000, 0xFE00 after a C-CANCEL, 0xC000.",
            "Who may: known modalities with AllowFind, or anybody with DicomAlwaysAllowFind.",
        ),
        *_service(
            "Query/Retrieve service class: SCP of C-MOVE, SCU of its C-STORE",
            scp_classes.QUERY_RETRIEVE_MOVE,
            "Keys: the unique key of the level, or an accession number; lists. Destinations: known",
            "modalities.",
            "Statuses: 0xFF00, 0x0000, 0xB000, 0xA702, 0xFE00 after a C-CANCEL, 0xC000.",
            "Who may: known modalities with AllowMove, or anybody with DicomAlwaysAllowMove.",
        ),
        *_service(
            "Query/Retrieve service class: SCP of C-GET, SCU of its C-STORE",
            scp_classes.QUERY_RETRIEVE_GET,
            "Keys: as for C-MOVE. The requestor proposes the storage classes that it takes, in the",
            "role of the SCP.",
            "Statuses: 0xFF00, 0x0000, 0xB000, 0xA702, 0xFE00 after a C-CANCEL, 0xC000.",
            "Who may: known modalities with AllowGet, or anybody with DicomAlwaysAllowGet.",
        ),
        *_worklists(settings),
        *_service(
            "Storage commitment service class: SCP of N-ACTION, SCU of N-EVENT-REPORT",
            [scp_classes.STORAGE_COMMITMENT],
            "N-ACTION of type 1. A job looks the instances up and reports by N-EVENT-REPORT on a",
            "new association to the address of the modality, in the role of the SCP. Reasons:",
            "0x0112, 0x0119.",
            "Who may: known modalities with AllowNAction.",
        ),
    ]


def _worklists(settings: Settings) -> list[str]:
    if settings.worklists is None:
        return []
    return _service(
        "Basic worklist management service class: SCP of C-FIND",
        [scp_classes.WORKLIST_FIND],
        "Matching: single value, wildcard, range, list of values, universal, sequence. Attributes",
        "that a worklist lacks are not in its answer. 0xFE00 behind more answers than",
        f"LimitAnswers ({settings.worklists.limit_answers}) admits.",
        "Who may: known modalities with AllowFindWorklist, or anybody with",
        "DicomAlwaysAllowFindWorklist.",
    )


def _asked(settings: Settings) -> list[str]:
    retrieved = (
        *scp_classes.QUERY_RETRIEVE_FIND,
        *scp_classes.QUERY_RETRIEVE_MOVE,
        *scp_classes.QUERY_RETRIEVE_GET,
    )
    return [
        *_section("Verification service class: SCU of C-ECHO", *_table([scp_classes.VERIFICATION])),
        *_section("Storage service class: SCU of C-STORE", *_sending(settings)),
        *_section(
            "Query/Retrieve service class: SCU of C-FIND, C-MOVE and C-GET",
            *_table(retrieved),
            "",
            "Where neither the modality nor the request says how, studies are retrieved by",
            f"{_option(settings, 'DicomDefaultRetrieveMethod')}.",
        ),
        *_section(
            "Basic worklist management service class: SCU of C-FIND",
            *_table([scp_classes.WORKLIST_FIND]),
        ),
        *_section(
            "Storage commitment service class: SCU of N-ACTION, SCP of N-EVENT-REPORT",
            *_table([scp_classes.STORAGE_COMMITMENT]),
            "",
            "N-EVENT-REPORTs of types 1 and 2 are taken on associations of the other side, from",
            "known modalities with AllowEventReport.",
        ),
    ]


def _service(title: str, classes: Iterable[str], *more: str) -> list[str]:
    """A service class whose messages are no images."""
    plain = ["", "Transfer syntaxes, the first one that is proposed of:", ""]
    lines = [*_table(classes), *plain, *_table(scp_syntaxes.PREFERENCE)]
    return _section(title, *lines, *(["", *more] if more else []))


def _storage(policy: ScpPolicy) -> list[str]:
    negotiable = scp_syntaxes.negotiable(policy.syntaxes())
    lines = [
        *_table(sorted(policy.storage_classes, key=_name)),
        "",
        "Transfer syntaxes, in the order in which they are proposed:",
        "",
        *_table(uid for uid in scp_syntaxes.KNOWN if uid in negotiable),
    ]
    if policy.unknown_accepted():
        lines += ["", "SOP classes that the standard does not know are accepted as well."]
    return lines


def _sending(settings: Settings) -> list[str]:
    lines = [
        "SOP classes: those of the stored instances. Each transfer syntax in which they are stored",
        "is proposed in a presentation context of its own, and besides:",
        "",
        *_table([settings.dicom_scu_preferred_transfer_syntax, *scp_syntaxes.PREFERENCE]),
        "",
        "Instances are sent as they are stored where the other side accepts that, otherwise",
    ]
    if settings.transcode_dicom_protocol:
        lines += ["transcoded, with modalities that AllowTranscoding; with loss if the other side"]
        lines += ["accepts nothing else, as a new instance."]
    else:
        lines += ["not at all."]
    return [
        *lines,
        "Statuses of success: 0x0000, 0xB000, 0xB006, 0xB007, 0x0111; all others are failures.",
        f"Associations at the same time: {settings.dicom_scu_associations_count} for each job.",
    ]


def _option(settings: Settings, name: str) -> str:
    """A configured value, or the default, as text."""
    value = settings.raw.get(name, BY_NAME[name].default)
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _entity(settings: Settings) -> list[str]:
    rows = {
        "Title": settings.dicom_aet,
        "Port": str(settings.dicom_port) if settings.dicom_server_enabled else "none",
        "Application context": "1.2.840.10008.3.1.1.1",
        "Greatest PDU that is received": f"{_option(settings, 'MaximumPduLength')} bytes",
        "Associations at the same time": _option(settings, "DicomMaximumAssociations"),
        "Processes": str(settings.dicom_workers),
        "Asynchronous operations": "offered for C-STORE",
        "TLS": _option(settings, "DicomTlsEnabled"),
        "Called title is checked": _option(settings, "DicomCheckCalledAet"),
        "Calling address is checked": _option(settings, "DicomCheckModalityHost"),
    }
    width = max(map(len, rows))
    return [f"  {name:{width}} | {value}" for name, value in rows.items()]


def _section(title: str, *lines: str) -> list[str]:
    return ["", "", "-" * len(title), title, "-" * len(title), "", *lines]


def _table(uids: Iterable[str]) -> list[str]:
    rows = [(_name(uid), uid) for uid in uids]
    width = max((len(name) for name, _ in rows), default=0)
    return [f"  {name:{width}} | {uid}" for name, uid in rows] or ["  none"]


def _name(uid: str) -> str:
    from pydicom.uid import UID  # a large library, for this page only

    return UID(uid).name
