"""What a REST callback answers by. Source: reference chapter 7, section 2.1."""

import contextlib
import re
import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from orthanc_fast.log import Category, logger
from orthanc_fast.scripting.python.answer_parts import AnswerParts
from orthanc_fast.scripting.python.arguments import takes
from orthanc_fast.scripting.python.exceptions import (
    PARAMETER_OUT_OF_RANGE,
    OrthancException,
    failure,
)
from orthanc_fast.scripting.python.image_functions import jpeg, png
from orthanc_fast.services.scripts.questions import RestAnswer

T = TypeVar("T")

_BAD_SEQUENCE = 6
_TEXT = "text/plain"
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_CONTROL = re.compile("[\0-\x08\x0a-\x1f\x7f]").search


def _once(method: Callable[..., None]) -> Callable[..., None]:
    """A second answer is ignored."""

    @wraps(method)
    def answered(self: "RestOutput", *given: Any) -> None:
        if self._status is not None:
            logger.error(Category.PLUGINS, f"{self._uri}: a second answer is ignored")
            return
        method(self, *given)

    return answered


class RestOutput:
    """The answer to one request. It is sent when the callback returns, one in parts while they are
    made where there is a `way`; later its methods raise ValueError."""

    def __init__(self, uri: str, way: AnswerParts | None = None) -> None:
        self._uri = uri
        self._way = way
        self._status: int | None = None
        self._headers: list[tuple[str, str]] = []
        self._parts: list[bytes] = []
        self._boundary: str | None = None
        self._item_type = ""
        self._is_stream = False
        self._has_begun = False  # to be sent
        self._is_over = False
        self._error_details: str | None = None

    def _finish(self) -> RestAnswer | None:
        """What is sent; None where the callback has answered nothing."""
        if self._boundary is not None and not self._is_over:
            with contextlib.suppress(OrthancException):  # the client has gone
                self._part(f"--{self._boundary}--\r\n".encode())
        self._forget()
        if self._status is None:
            return None
        body = b"".join(self._parts)
        return RestAnswer(self._status, self._headers, body, self._is_stream)

    def _forget(self) -> None:
        """The call that it belongs to is over."""
        self._is_over = True
        if self._way is not None:
            self._way.end()

    def _begin(self, kind: str, boundary: str | None = None, item_type: str = "") -> None:
        if self._is_stream:
            raise failure(_BAD_SEQUENCE)
        self._answer_in_parts(kind, boundary, item_type)

    @_once
    def _answer_in_parts(self, kind: str, boundary: str | None, item_type: str) -> None:
        self._answer(200, b"", kind)
        self._is_stream = True
        self._boundary, self._item_type = boundary, item_type
        if self._way is not None:
            self._way.begin(RestAnswer(200, self._headers, b"", True))
            self._has_begun = True

    def _part(self, data: bytes) -> None:
        """Raises OrthancException 9 where the client has gone."""
        if self._has_begun and self._way is not None:
            self._way.send(data)
        else:
            self._parts.append(data)

    def _require_valid(self) -> None:
        if self._is_over:
            raise ValueError("Invalid object: it was valid during the callback only")

    def _answer(self, status: int, body: bytes, kind: str | None) -> None:
        self._require_valid()
        if kind is not None:
            self._add("Content-Type", kind)
        self._status = status
        self._parts = [body]

    def _add(self, name: str, value: str) -> None:
        """A header. Raises OrthancException 3 for what HTTP cannot send: a line break, for one,
        would begin another header."""
        if not _NAME(name) or _CONTROL(value):
            raise failure(PARAMETER_OUT_OF_RANGE, f"no header: {name!r}: {value!r}")
        self._headers.append((name, value))

    # Whole answers

    @takes("bs")
    @_once
    def AnswerBuffer(self, body: bytes, kind: str) -> None:
        self._answer(200, body, kind)

    @takes("ib")
    @_once
    def SendHttpStatus(self, status: int, body: bytes) -> None:
        self._answer(_checked(status), body, _TEXT if body else None)

    @takes("i")
    @_once
    def SendHttpStatusCode(self, status: int) -> None:
        self._answer(_checked(status), b"", None)

    @takes("s")
    @_once
    def SendMethodNotAllowed(self, allowed: str) -> None:
        self._add("Allow", allowed)
        self._answer(405, b"", None)

    @takes("s")
    @_once
    def SendUnauthorized(self, realm: str) -> None:
        self._add("WWW-Authenticate", f'Basic realm="{realm}"')
        self._answer(401, b"", None)

    @takes("s")
    @_once
    def Redirect(self, uri: str) -> None:
        self._add("Location", uri)
        self._answer(307, b"", None)

    @takes("iiiib")
    @_once
    def CompressAndAnswerPngImage(
        self, pixel_format: int, width: int, height: int, pitch: int, data: bytes
    ) -> None:
        self._answer(200, png(pixel_format, width, height, pitch, data), "image/png")

    @takes("iiiibi")
    @_once
    def CompressAndAnswerJpegImage(
        self, pixel_format: int, width: int, height: int, pitch: int, data: bytes, quality: int
    ) -> None:
        self._answer(200, jpeg(pixel_format, width, height, pitch, data, quality), "image/jpeg")

    # Before an answer

    @takes("ss")
    def SetHttpHeader(self, name: str, value: str) -> None:
        self._require_valid()
        self._add(name, value)

    @takes("ss")
    def SetCookie(self, name: str, value: str) -> None:
        self._require_valid()
        self._add("Set-Cookie", f"{name}={value}")

    @takes("si")
    def SetHttpErrorDetails(self, text: str, log: int) -> None:
        self._require_valid()
        self._error_details = text
        if log:
            logger.error(Category.PLUGINS, f"{self._uri}: {text}")

    # In parts

    @takes("s")
    def StartStreamAnswer(self, kind: str) -> None:
        self._begin(kind)

    @takes("b")
    def SendStreamChunk(self, data: bytes) -> None:
        self._require_valid()
        if not self._is_stream or self._boundary is not None:
            raise failure(_BAD_SEQUENCE)
        self._part(data)

    @takes("ss")
    def StartMultipartAnswer(self, subtype: str, kind: str) -> None:
        boundary = f"{uuid.uuid4()}-{uuid.uuid4()}"
        self._begin(f'multipart/{subtype}; type="{kind}"; boundary={boundary}', boundary, kind)

    @takes("b")
    def SendMultipartItem(self, data: bytes) -> None:
        self._require_valid()
        if self._boundary is None:
            raise failure(PARAMETER_OUT_OF_RANGE if self._is_stream else _BAD_SEQUENCE)
        head = (
            f"--{self._boundary}\r\nContent-Type: {self._item_type}\r\n"
            f"Content-Length: {len(data)}\r\nMIME-Version: 1.0\r\n\r\n"
        )
        self._part(b"".join((head.encode(), data, b"\r\n")))


def _checked(status: int) -> int:
    if not 200 <= status <= 599:
        raise failure(PARAMETER_OUT_OF_RANGE)
    return status
