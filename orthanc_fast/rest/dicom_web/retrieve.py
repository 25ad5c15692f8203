"""WADO-RS: the DICOM files of studies, series and instances.

Source: PS3.18, section 10.4; reference chapter 5, sections 1.4 and 3.
"""

from typing import Final, Literal, NamedTuple

from orthanc_fast._ext.ids import to_text
from orthanc_fast.config import Settings
from orthanc_fast.errors import BadRequest
from orthanc_fast.media_types import MediaRange, accepted, chosen
from orthanc_fast.model import Resource
from orthanc_fast.rest.dicom_web.content_ranges import (
    asked_part,
    conditional,
    not_modified,
    validators,
)
from orthanc_fast.rest.multipart_related import MultipartWriter
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import (
    DICOM,
    PATHSEND_FROM,
    HeaderField,
    Response,
    disposition,
)
from orthanc_fast.rest.router import Router
from orthanc_fast.rest.streaming import while_present
from orthanc_fast.rights import Right
from orthanc_fast.services.archive.archives import Wish
from orthanc_fast.services.attachments.reading import dicom_attachment
from orthanc_fast.services.dicom_web.retrieval import AS_STORED, DEFAULT, Form
from orthanc_fast.transfer_syntaxes import SYNTAXES

_ZIP: Final[HeaderField] = (b"content-type", b"application/zip")
_DICOM: Final = "application/dicom"
_PARTS: Final = frozenset({"", _DICOM, "application/*", "*/*"})
_INSTANCE: Final = 3  # UIDs in the path
_OFFERED: Final = 'multipart/related; type="application/dicom" or application/zip'


class Answer(NamedTuple):
    """How a client wants the files."""

    kind: Literal["parts", "file", "zip"]
    form: Form


def add_routes(router: Router, settings: Settings) -> None:
    if not settings.dicom_web.enable:
        return
    root = settings.dicom_web.root
    paths = ("studies/{}", "studies/{}/series/{}", "studies/{}/series/{}/instances/{}")
    for path in paths:
        router.add(
            "GET",
            f"{root}{path}",
            get_files,
            arguments="accept",
            answer="multipart/related",
            needs=Right.BROWSE,
            limited=True,
        )


@conditional
async def get_files(request: Request) -> Response:
    """The DICOM files of a study, a series or an instance, ordered by series and instance number:
    multipart/related, of one instance also application/dicom, or application/zip. The parameter
    `transfer-syntax` of `Accept` is that of the files, `*` sends them as they are stored; without
    it they come in Explicit VR Little Endian if they can."""
    uids = request.params
    ranges = accepted(request.header(b"accept"), request.arguments.get("accept"))
    answer = chosen(ranges, lambda each: _answer(each, len(uids) == _INSTANCE), _OFFERED)
    services = request.services
    targets = services.dicom_web.targets
    found = await services.reads.run(targets.require, request.caller, uids)
    if answer.kind == "zip":
        return await _zip(request, found)
    if answer.kind == "file":
        return await _file(request, found[0], answer.form)
    if len(uids) == _INSTANCE and len(found) == 1:
        return await _one_part(request, found[0], answer.form)
    writer = MultipartWriter()
    parts = services.dicom_web.retrieval.stream(
        request.caller, found, answer.form, lambda length: writer.head(_DICOM, length)
    )
    return await while_present(request, writer.closed(parts), writer.kind(_DICOM))


def _answer(asked: MediaRange, is_instance: bool) -> Answer | None:
    """What an element of Accept stands for, None for what is no DICOM file."""
    kind = asked.type
    if kind in ("*/*", "multipart/*") or (
        kind == "multipart/related" and asked.part_type in _PARTS
    ):
        return Answer("parts", _form(asked))
    if kind in (_DICOM, "application/*") and is_instance:
        return Answer("file", _form(asked))
    if kind in ("application/zip", "application/*"):
        # Members are deflated, so that another transfer syntax would only cost time; and one that
        # some file cannot have would leave a gap in what looks complete.
        return Answer("zip", AS_STORED) if asked.transfer_syntax in ("", "*") else None
    return None


def _form(asked: MediaRange) -> Form:
    """Raises BadRequest for a transfer syntax that nobody knows."""
    uid = asked.transfer_syntax
    if not uid:
        return DEFAULT
    if uid == "*":
        return AS_STORED
    if uid not in SYNTAXES:
        raise BadRequest(f"Unsupported transfer syntax in WADO-RS: {uid}")
    return Form(uid)


async def _one_part(request: Request, instance: Resource, form: Form) -> Response:
    """One instance: its length is known."""
    retrieval = request.services.dicom_web.retrieval
    writer = MultipartWriter()
    kind = writer.kind(_DICOM)
    file = dicom_attachment(instance)
    if retrieval.keeps(instance, form) and file.size >= PATHSEND_FROM:
        head = writer.head(_DICOM, file.size)
        length = len(head) + file.size + len(writer.end())
        parts = retrieval.stream(request.caller, [instance], form, lambda _: head)
        return await while_present(request, writer.closed(parts), kind, length=length)
    data = await retrieval.one(instance, form)
    return Response(b"".join([writer.head(_DICOM, len(data)), data, writer.end()]), kind)


async def _file(request: Request, instance: Resource, form: Form) -> Response:
    """One instance as it is, or a range of it."""
    services = request.services
    retrieval = services.dicom_web.retrieval
    file = dicom_attachment(instance)
    is_kept = retrieval.keeps(instance, form)
    headers = validators(f"{file.fingerprint}-{'' if is_kept else form.syntax}")
    known = not_modified(request, headers)
    if known is not None:
        return known
    headers += disposition(f"{request.params[-1]}.dcm")
    if is_kept and file.size >= PATHSEND_FROM and not file.compressed:
        part = asked_part(request, file.size, headers)
        path = services.attachments.sendable(file)
        if part.status == 200 and path is not None:
            return Response(kind=DICOM, headers=part.headers, path=path, length=file.size)
        stream = services.dicom_web.files.pieces_of(file.uuid, [(part.first, part.stop)])
        length = part.stop - part.first
        return await while_present(request, stream, DICOM, part.headers, length, part.status)
    data = await retrieval.one(instance, form)
    part = asked_part(request, len(data), headers)
    return Response(data[part.first : part.stop], DICOM, part.status, part.headers)


async def _zip(request: Request, found: list[Resource]) -> Response:
    """The archive that the REST API makes of the same resources."""
    services = request.services
    wish = Wish(resources=[to_text(each.public) for each in found])
    planned = await services.reads.run(services.archives.plan, request.caller, wish)
    stream = services.archives.stream(planned, lambda _: None)
    return await while_present(request, stream, _ZIP, disposition(f"{request.params[-1]}.zip"))
