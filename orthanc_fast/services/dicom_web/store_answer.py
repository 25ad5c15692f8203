"""The answer of STOW-RS: what became of each instance, as a data set.

Source: PS3.18, section 10.5.3 and table I.1-1; reference chapter 5, section 8.2.
"""

from orthanc_fast.dicom.attributes import Attribute, Dataset
from orthanc_fast.dicom.text import term_of
from orthanc_fast.services.dicom_web.storing import Failure, Reference, Report


def store_answer(report: Report, base: str, character_set: str) -> Dataset:
    """`base` is the address of DICOMweb with the slash at its end, `character_set` the name of the
    server's own."""
    answer = [_text(0x00080005, "CS", "SpecificCharacterSet", term_of(character_set) or "")]
    if report.study is not None:
        answer.append(_retrieve_url(f"{base}studies/{report.study}"))
    named = [_failed(each) for each in report.failed if each.is_named]
    if named:
        answer.append(Attribute(0x00081198, "SQ", "FailedSOPSequence", [*named]))
    stored = [_stored(each, base) for each in report.stored]
    answer.append(Attribute(0x00081199, "SQ", "ReferencedSOPSequence", [*stored] or None))
    others = [[_reason(each.reason)] for each in report.failed if not each.is_named]
    if others:
        answer.append(Attribute(0x0008119A, "SQ", "OtherFailuresSequence", [*others]))
    return answer


def _stored(reference: Reference, base: str) -> Dataset:
    study, series, instance = reference.study, reference.series, reference.sop_uid
    item = [
        *_identity(reference.sop_class, instance),
        _retrieve_url(f"{base}studies/{study}/series/{series}/instances/{instance}"),
    ]
    if reference.warning:
        item.append(Attribute(0x00081196, "US", "WarningReason", [reference.warning]))
    return item


def _failed(failure: Failure) -> Dataset:
    return [*_identity(failure.sop_class, failure.sop_uid), _reason(failure.reason)]


def _identity(sop_class: str, sop_uid: str) -> Dataset:
    return [
        _text(0x00081150, "UI", "ReferencedSOPClassUID", sop_class),
        _text(0x00081155, "UI", "ReferencedSOPInstanceUID", sop_uid),
    ]


def _reason(reason: int) -> Attribute:
    return Attribute(0x00081197, "US", "FailureReason", [reason])


def _retrieve_url(address: str) -> Attribute:
    return _text(0x00081190, "UR", "RetrieveURL", address)


def _text(tag: int, vr: str, keyword: str, text: str) -> Attribute:
    return Attribute(tag, vr, keyword, [text])
