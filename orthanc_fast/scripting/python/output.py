"""What a REST callback answers by. Source: reference chapter 7, section 2.1."""

import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from orthanc_fast.log import Category, logger
from orthanc_fast.scripting.python.arguments import takes
from orthanc_fast.scripting.python.exceptions import PARAMETER_OUT_OF_RANGE, failure
from orthanc_fast.scripting.python.image_functions import jpeg, png
from orthanc_fast.services.scripts.questions import RestAnswer

T = TypeVar("T")

_BAD_SEQUENCE = 6
_TEXT = "text/plain"


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
    """The answer to one request. It is sent when the callback returns; later its methods raise
    ValueError."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._status: int | None = None
        self._headers: list[tuple[str, str]] = []
        self._parts: list[bytes] = []
        self._boundary: str | None = None
        self._item_type = ""
        self._is_stream = False
        self._is_over = False
        self._error_details: str | None = None

    def _finish(self) -> RestAnswer | None:
        """What is sent; None where the callback has answered nothing."""
        self._is_over = True
        if self._status is None:
            return None
        if self._boundary is not None:
            self._parts.append(f"--{self._boundary}--\r\n".encode())
        body = b"".join(self._parts)
        return RestAnswer(self._status, self._headers, body, self._is_stream)

    def _require_valid(self) -> None:
        if self._is_over:
            raise ValueError("Invalid object: it was valid during the callback only")

    def _answer(self, status: int, body: bytes, kind: str | None) -> None:
        self._require_valid()
        self._status = status
        self._parts = [body]
        if kind is not None:
            self._headers.append(("Content-Type", kind))

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
        self._headers.append(("Allow", allowed))
        self._answer(405, b"", None)

    @takes("s")
    @_once
    def SendUnauthorized(self, realm: str) -> None:
        self._headers.append(("WWW-Authenticate", f'Basic realm="{realm}"'))
        self._answer(401, b"", None)

    @takes("s")
    @_once
    def Redirect(self, uri: str) -> None:
        self._headers.append(("Location", uri))
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
        self._headers.append((name, value))

    @takes("ss")
    def SetCookie(self, name: str, value: str) -> None:
        self._require_valid()
        self._headers.append(("Set-Cookie", f"{name}={value}"))

    @takes("si")
    def SetHttpErrorDetails(self, text: str, log: int) -> None:
        self._require_valid()
        self._error_details = text
        if log:
            logger.error(Category.PLUGINS, f"{self._uri}: {text}")

    # In parts

    @takes("s")
    @_once
    def StartStreamAnswer(self, kind: str) -> None:
        self._answer(200, b"", kind)
        self._is_stream = True

    @takes("b")
    def SendStreamChunk(self, data: bytes) -> None:
        self._require_valid()
        if not self._is_stream or self._boundary is not None:
            raise failure(_BAD_SEQUENCE)
        self._parts.append(data)

    @takes("ss")
    @_once
    def StartMultipartAnswer(self, subtype: str, kind: str) -> None:
        self._boundary = f"{uuid.uuid4()}-{uuid.uuid4()}"
        content = f'multipart/{subtype}; type="{kind}"; boundary={self._boundary}'
        self._answer(200, b"", content)
        self._is_stream = True
        self._item_type = kind

    @takes("b")
    def SendMultipartItem(self, data: bytes) -> None:
        self._require_valid()
        if self._boundary is None:
            raise failure(_BAD_SEQUENCE)
        head = (
            f"--{self._boundary}\r\nContent-Type: {self._item_type}\r\n"
            f"Content-Length: {len(data)}\r\nMIME-Version: 1.0\r\n\r\n"
        )
        self._parts += (head.encode(), data, b"\r\n")


def _checked(status: int) -> int:
    if not 200 <= status <= 599:
        raise failure(PARAMETER_OUT_OF_RANGE)
    return status
