"""WADO-URI: one object by the arguments of a query string.

Source: PS3.18, section 9; reference chapter 5, section 10.
"""

import asyncio
from typing import Final, Literal

from orthanc_fast.config import Settings
from orthanc_fast.errors import BadRequest, OrthancError, ParameterOutOfRange, UnknownResource
from orthanc_fast.media_types import MediaRange, accepted
from orthanc_fast.model import Resource
from orthanc_fast.numerals import decimal, unsigned
from orthanc_fast.rest.dicom_web import picture_arguments, shown_file
from orthanc_fast.rest.dicom_web.content_ranges import conditional, not_modified
from orthanc_fast.rest.dicom_web.shown_file import file_validators
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import DICOM, PATHSEND_FROM, Response
from orthanc_fast.rest.router import Router
from orthanc_fast.rest.streaming import while_present
from orthanc_fast.rights import Right
from orthanc_fast.services.attachments.documents import is_pdf
from orthanc_fast.services.attachments.reading import dicom_attachment
from orthanc_fast.services.dicom_web.rendering import Form, ObjectView, Place, is_video
from orthanc_fast.services.dicom_web.retrieval import AS_STORED
from orthanc_fast.services.dicom_web.retrieval import Form as FileForm
from orthanc_fast.transfer_syntaxes import SYNTAXES

Arguments = dict[str, str]
Answer = Form | Literal["application/dicom", "application/pdf", "video"]

_ARGUMENTS: Final = (
    "requestType studyUID seriesUID objectUID contentType anonymize transferSyntax rows columns "
    "region windowCenter windowWidth frameNumber imageQuality"
)
_UNSUPPORTED_MEDIA_TYPE: Final = 3000
_SHOWN: Final = 100  # characters of an argument in an error
_FORMS: Final[dict[str, Form]] = {
    "*/*": "image/jpeg",
    "image/*": "image/jpeg",
    "image/jpeg": "image/jpeg",
    "image/jpg": "image/jpeg",
    "image/png": "image/png",
    "image/gif": "image/gif",
}


def add_routes(router: Router, settings: Settings) -> None:
    options = settings.dicom_web
    if options.enable_wado:
        router.add(
            "GET",
            options.wado_root,
            get_object,
            arguments=_ARGUMENTS,
            answer="image/jpeg",
            needs=Right.BROWSE,
            limited=True,
        )


@conditional
async def get_object(request: Request) -> Response:
    """One object as a picture, or in another form that `contentType` names."""
    arguments, services = request.arguments, request.services
    if arguments.get("requestType") != "WADO":
        raise UnknownResource('WADO-URI: the argument "requestType" must be WADO')
    uid = arguments.get("objectUID")
    if not uid:
        raise UnknownResource('WADO-URI: the argument "objectUID" is missing')
    instance = await services.reads.run(
        services.dicom_web.targets.instance,
        request.caller,
        arguments.get("studyUID", ""),
        arguments.get("seriesUID", ""),
        uid,
    )
    answer = _chosen(arguments.get("contentType"), instance)
    is_anonymous = _is_anonymous(arguments)
    if answer == "application/dicom":
        return await _file(request, instance, is_anonymous)
    if is_anonymous:
        raise BadRequest("WADO-URI: only application/dicom can be anonymized")
    if answer == "application/pdf":
        return await shown_file.document(request, instance)
    if answer == "video":
        return await shown_file.video(request, instance, shown_file.video_type(instance))
    if is_video(instance):
        raise _no_picture("it is a video")
    return await _picture(request, instance, answer)


def _chosen(text: str | None, instance: Resource) -> Answer:
    """Of a list of media types the first that there is. Raises BadRequest."""
    if text is None:
        return "image/jpeg"
    for media in accepted(None, text or ",") if text.strip(", ") else ():
        answer = _answer(media, instance)
        if answer is not None:
            return answer
    raise BadRequest(f'WADO-URI: Unsupported content type: "{text[:_SHOWN]}"')


def _answer(media: MediaRange, instance: Resource) -> Answer | None:
    if media.type in ("application/dicom", "application/*"):
        return "application/dicom"
    if media.type == "application/pdf":
        return "application/pdf" if is_pdf(instance) else None
    if media.type in ("video/*", shown_file.video_type(instance)):
        return "video" if is_video(instance) else None
    return _FORMS.get(media.type)


def _is_anonymous(arguments: Arguments) -> bool:
    """Raises BadRequest for anything but yes and no: nobody may take it for what it is not."""
    text = arguments.get("anonymize", "no")
    if text not in ("yes", "no"):
        raise BadRequest(f'WADO-URI: "anonymize" is yes or no, not {text[:_SHOWN]!r}')
    return text == "yes"


# Files


async def _file(request: Request, instance: Resource, is_anonymous: bool) -> Response:
    """The file, as it is stored unless a transfer syntax is asked for."""
    services = request.services
    syntax = request.arguments.get("transferSyntax", "*")
    if syntax != "*" and syntax not in SYNTAXES:
        raise BadRequest(f"WADO-URI: Unsupported transfer syntax: {syntax[:_SHOWN]}")
    if is_anonymous:
        body = {} if syntax == "*" else {"Transcode": syntax}
        parts = await services.modification.instance(request.caller, instance.public, body, True)
        return Response(await asyncio.to_thread(b"".join, parts), DICOM)
    headers = file_validators(request, instance, syntax)
    known = not_modified(request, headers)
    if known is not None:
        return known
    form = AS_STORED if syntax == "*" else FileForm(syntax)
    retrieval = services.dicom_web.retrieval
    attachment = dicom_attachment(instance)
    if retrieval.keeps(instance, form) and attachment.size >= PATHSEND_FROM:
        path = None if attachment.compressed else services.attachments.sendable(attachment)
        if path is not None:
            return Response(kind=DICOM, headers=headers, path=path, length=attachment.size)
    return Response(await retrieval.one(instance, form), DICOM, headers=headers)


# Pictures


async def _picture(request: Request, instance: Resource, form: Form) -> Response:
    arguments, renderings = request.arguments, request.services.dicom_web.renderings
    view = _view(arguments)
    quality = picture_arguments.quality(arguments.get("imageQuality"))
    frame = _frame(arguments, instance, request)
    headers = file_validators(request, instance, form)
    headers += picture_arguments.warnings(arguments)
    known = not_modified(request, headers)
    if known is not None:
        return known
    kind = (b"content-type", form.encode())
    try:
        if form == "image/gif" and frame is None:
            places = list(renderings.frames(instance))
            if len(places) > 1:
                stream = renderings.animation(places, view)
                return await while_present(request, stream, kind, headers)
        place = Place(instance, frame or 0)
        body = await renderings.latest(headers[0][1], place, view, form, quality)
    except ParameterOutOfRange as error:
        raise _no_picture(error.details or "it cannot be decoded") from error
    return Response(body, kind, headers=headers)


def _no_picture(reason: str) -> OrthancError:
    return OrthancError(f"WADO-URI: there is no picture: {reason}", code=_UNSUPPORTED_MEDIA_TYPE)


def _view(arguments: Arguments) -> ObjectView:
    """Raises BadRequest."""
    center, width = _real(arguments, "windowCenter"), _real(arguments, "windowWidth")
    if (center is None) != (width is None):
        raise BadRequest("WADO-URI: windowCenter and windowWidth go together")
    return ObjectView(
        center,
        width,
        _natural(arguments, "columns") or 0,
        _natural(arguments, "rows") or 0,
        _region(arguments.get("region")),
    )


def _region(text: str | None) -> tuple[float, float, float, float] | None:
    if text is None:
        return None
    left, top, right, bottom = ([decimal(each) for each in text.split(",")] + [None] * 4)[:4]
    if (
        text.count(",") == 3
        and left is not None
        and top is not None
        and right is not None
        and bottom is not None
        and 0 <= left < right <= 1
        and 0 <= top < bottom <= 1
    ):
        return left, top, right, bottom
    raise BadRequest(
        f"WADO-URI: region is left,top,right,bottom from 0 to 1, not {text[:_SHOWN]!r}"
    )


def _real(arguments: Arguments, name: str) -> float | None:
    text = arguments.get(name)
    number = None if text is None else decimal(text)
    if text is not None and number is None:
        raise BadRequest(f"WADO-URI: {name} is a number, not {text[:_SHOWN]!r}")
    return number


def _natural(arguments: Arguments, name: str) -> int | None:
    text = arguments.get(name)
    number = None if text is None else unsigned(text)
    if text is not None and not number:
        raise BadRequest(f"WADO-URI: {name} is a whole number above 0, not {text[:_SHOWN]!r}")
    return number


def _frame(arguments: Arguments, instance: Resource, request: Request) -> int | None:
    number = _natural(arguments, "frameNumber")
    if number is None:
        return None
    count = request.services.pixels.frame_count(instance)
    if number > count:
        raise ParameterOutOfRange(f"WADO-URI: there is no frame {number}, only {count}")
    return number - 1
