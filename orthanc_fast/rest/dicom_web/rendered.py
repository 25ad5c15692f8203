"""Rendered resources and thumbnails: pictures, animations, videos, documents.

Source: PS3.18, sections 8.3.5, 8.7.4 and 10.4; reference chapter 5, section 7.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from functools import lru_cache
from typing import Final, Literal, NamedTuple
from urllib.parse import quote

from orthanc_fast.config import Settings
from orthanc_fast.errors import BadFileFormat, ParameterOutOfRange
from orthanc_fast.imaging.accept import PictureFormat
from orthanc_fast.imaging.picture import DEFAULT_QUALITY, encode
from orthanc_fast.imaging.picture_gif import picture_to_gif
from orthanc_fast.media_types import MediaRange, accepted, chosen
from orthanc_fast.model import Resource
from orthanc_fast.numerals import integer
from orthanc_fast.rest.dicom_web import picture_arguments, shown_file
from orthanc_fast.rest.dicom_web.addresses import base_of
from orthanc_fast.rest.dicom_web.content_ranges import conditional, not_modified
from orthanc_fast.rest.dicom_web.shown_file import file_validators
from orthanc_fast.rest.multipart_related import MultipartWriter
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import HeaderField, Response
from orthanc_fast.rest.router import Router
from orthanc_fast.rest.streaming import while_present
from orthanc_fast.rights import Right
from orthanc_fast.services.attachments import documents
from orthanc_fast.services.dicom_web.rendering import Form, Place, View, is_video, symbol
from orthanc_fast.services.dicom_web.repeats import Repeats

_LEVELS: Final = (
    "studies/{}",
    "studies/{}/series/{}",
    "studies/{}/series/{}/instances/{}",
    "studies/{}/series/{}/instances/{}/frames/{}",
)
_REPEATED: Final = 16 << 20  # bytes of the pictures of one answer that are asked for again
_INSTANCE: Final = 3  # UIDs name one
_ARGUMENTS: Final = "accept viewport quality window"
_MULTIPART: Final = "multipart/related"
_FORMS: Final[dict[str, Form]] = {
    "*/*": "image/jpeg",
    "image/*": "image/jpeg",
    "image/jpeg": "image/jpeg",
    "image/png": "image/png",
    "image/gif": "image/gif",
}
_OFFERED: Final = "image/jpeg, image/png or image/gif, or multipart/related with one of these"


class Wanted(NamedTuple):
    """The form of the answer: one picture, or an answer of several parts."""

    form: Form
    is_multipart: bool


def add_routes(router: Router, settings: Settings) -> None:
    if not settings.dicom_web.enable:
        return
    for level in _LEVELS:
        for name, handler in (("rendered", get_rendered), ("thumbnail", get_thumbnail)):
            path = f"{settings.dicom_web.root}{level}/{name}"
            router.add(
                "GET",
                path,
                handler,
                arguments=_ARGUMENTS,
                answer="image/jpeg",
                needs=Right.BROWSE,
                limited=True,
            )


@conditional
async def get_rendered(request: Request) -> Response:
    """A picture of a study, series, instance or frame; several frames as multipart."""
    return await _answer(request, is_thumbnail=False)


@conditional
async def get_thumbnail(request: Request) -> Response:
    """A small picture of a study, series, instance or frame."""
    return await _answer(request, is_thumbnail=True)


async def thumbnail(request: Request, instance: Resource) -> Response:
    """A small picture of an instance, one in any case: of the frame in its middle, or a symbol."""
    renderings = request.services.dicom_web.renderings
    ranges = accepted(request.header(b"accept"), request.arguments.get("accept"))
    if is_video(instance):
        return _symbol(request, instance, "video", ranges)
    if not renderings.is_image(instance):
        return _symbol(request, instance, "document", ranges)
    form = chosen(ranges, _wanted, _OFFERED).form
    places = [renderings.middle(instance)]
    return await _picture(request, places, View(is_thumbnail=True), form, DEFAULT_QUALITY)


async def _answer(request: Request, is_thumbnail: bool) -> Response:
    arguments, services = request.arguments, request.services
    view = View(
        picture_arguments.viewport(arguments.get("viewport")),
        picture_arguments.window(arguments.get("window")),
        is_thumbnail,
    )
    quality = picture_arguments.quality(arguments.get("quality"))
    ranges = accepted(request.header(b"accept"), arguments.get("accept"))
    uids, frames = request.params[:3], _frames(request.params[3:])
    renderings = services.dicom_web.renderings
    if len(uids) == _INSTANCE:
        instance = await services.reads.run(renderings.key_image, request.caller, uids)
    else:  # thousands of instances may have to be put in order
        instance = await asyncio.to_thread(renderings.key_image, request.caller, uids)
    if is_video(instance):
        if is_thumbnail:
            return _symbol(request, instance, "video", ranges)
        return await _video(request, instance, ranges)
    if documents.is_pdf(instance) and not is_thumbnail:
        return await _document(request, instance, ranges)
    if is_thumbnail and not renderings.is_image(instance):
        return _symbol(request, instance, "document", ranges)
    wanted = chosen(ranges, _wanted, _OFFERED)
    if frames is not None:
        path = "studies/{}/series/{}/instances/{}".format(*uids)
        places = [Place(instance, frame, path) for frame in frames]
    elif is_thumbnail:
        places = [renderings.middle(instance)]
    elif wanted.is_multipart:
        found = renderings.places(request.caller, uids)
        return await _parts(request, found, view, wanted.form, quality)
    elif wanted.form == "image/gif":
        places = list(renderings.frames(instance))
        if not places:
            raise ParameterOutOfRange("there is no image")
    else:
        places = [Place(instance, 0)]
    if wanted.is_multipart or (len(places) > 1 and wanted.form != "image/gif"):
        repeats = Repeats[bytes](frames or (), _REPEATED)
        return await _parts(request, iter(places), view, wanted.form, quality, repeats)
    return await _picture(request, places, view, wanted.form, quality)


def _frames(texts: Sequence[str]) -> list[int] | None:
    """The frames in the path, from 0 on; None for a path without. Raises BadFileFormat for what is
    no list of numbers, ParameterOutOfRange for those that no image has."""
    if not texts:
        return None
    found = []
    for text in texts[0].split(","):
        number = None if text.startswith("+") else integer(text)
        if number is None:
            raise BadFileFormat(f"frames are numbers with commas, not {texts[0][:100]!r}")
        if number < 1:
            raise ParameterOutOfRange(f"frames are counted from 1, there is no {number}")
        found.append(number - 1)
    return found


def _wanted(media: MediaRange) -> Wanted | None:
    is_multipart = media.type in (_MULTIPART, "multipart/*")
    form = _FORMS.get((media.part_type or "*/*") if is_multipart else media.type)
    return None if form is None else Wanted(form, is_multipart)


# Pictures


async def _picture(
    request: Request, places: list[Place], view: View, form: Form, quality: int
) -> Response:
    """One file with one picture, or several as an animation."""
    what = f"{form} {places[0].frame}"
    headers = file_validators(request, places[0].instance, what, view.is_thumbnail)
    headers += picture_arguments.warnings(request.arguments)
    known = not_modified(request, headers)
    if known is not None:
        return known
    renderings, kind = request.services.dicom_web.renderings, _kind(form)
    if len(places) > 1:
        return await while_present(request, renderings.animation(places, view), kind, headers)
    body = await renderings.latest(headers[0][1], places[0], view, form, quality)
    return Response(body, kind, headers=headers)


async def _parts(
    request: Request,
    places: Iterator[Place],
    view: View,
    form: Form,
    quality: int,
    repeats: Repeats[bytes] | None = None,
) -> Response:
    """A part for each frame, made while those before it are sent; `repeats` of one instance."""
    writer, services = MultipartWriter(), request.services
    base = base_of(request, services.settings.dicom_web)
    name = "thumbnail" if view.is_thumbnail else "rendered"

    async def stream() -> AsyncGenerator[bytes]:
        is_empty = True
        while (place := await asyncio.to_thread(next, places, None)) is not None:
            body = None if repeats is None else repeats.take(place.frame)
            if body is None:
                body = await services.dicom_web.renderings.picture(place, view, form, quality)
                if repeats is not None:
                    repeats.keep(place.frame, body, len(body))
            location = f"{base}{quote(place.path)}/frames/{place.frame + 1}/{name}"
            yield writer.head(form, len(body), location) + body
            is_empty = False
        if is_empty:
            raise ParameterOutOfRange("there is no image")
        yield writer.end()

    headers = picture_arguments.warnings(request.arguments)
    return await while_present(request, stream(), writer.kind(form), headers)


def _symbol(
    request: Request,
    instance: Resource,
    kind: Literal["video", "document"],
    ranges: tuple[MediaRange, ...],
) -> Response:
    form = chosen(ranges, _wanted, _OFFERED).form
    headers = file_validators(request, instance, form, is_thumbnail=True)
    known = not_modified(request, headers)
    return known or Response(_drawn_symbol(kind, form), _kind(form), headers=headers)


@lru_cache
def _drawn_symbol(kind: Literal["video", "document"], form: Form) -> bytes:
    picture = symbol(kind)
    if form == "image/gif":
        return picture_to_gif(picture)
    return encode(picture, PictureFormat(form), DEFAULT_QUALITY)


def _kind(form: str) -> HeaderField:
    return b"content-type", form.encode()


# What is sent as it is stored. As the plugin does, it is sent to clients that ask for pictures
# too: they have to ask for something before they know what there is.


async def _document(
    request: Request, instance: Resource, ranges: tuple[MediaRange, ...]
) -> Response:
    def fits(media: MediaRange) -> bool | None:
        own = media.type in ("application/pdf", "application/*")
        return own or media.type in _FORMS or None

    chosen(ranges, fits, "application/pdf")
    return await shown_file.document(request, instance)


async def _video(request: Request, instance: Resource, ranges: tuple[MediaRange, ...]) -> Response:
    own = shown_file.video_type(instance)

    def kind(media: MediaRange) -> str | None:
        if media.type == "application/octet-stream":
            return media.type
        return own if media.type in (own, "video/*") or media.type in _FORMS else None

    return await shown_file.video(request, instance, chosen(ranges, kind, own))
