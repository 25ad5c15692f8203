"""The one place where errors become HTTP answers. Source: reference chapter 1, section 1.2."""

import traceback
from http import HTTPStatus

import msgspec

from orthanc_fast.errors import OrthancError
from orthanc_fast.log import Category, logger
from orthanc_fast.rest.byte_range import Unsatisfiable
from orthanc_fast.rest.response import TEXT, HeaderField, Response

_REASONS = {status.value: status.phrase for status in HTTPStatus}
_REASONS |= {413: "Request Entity Too Large", 416: "Requested Range Not Satisfiable"}
_REASONS |= {422: "Unprocessable Entity"}


def error_response(error: Exception, method: str, uri: str, describe: bool) -> Response:
    """The answer to a request that failed. What is no OrthancError is logged with its traceback."""
    if not isinstance(error, OrthancError):
        logger.error(Category.HTTP, "".join(traceback.format_exception(error)).rstrip())
        error = OrthancError("An unhandled exception was generated inside the HTTP server")
    elif error.http_status >= 500:
        logger.error(Category.HTTP, f"{method} {uri}: {error}")
    else:
        logger.info(Category.HTTP, f"{method} {uri}: {error}")
    headers: tuple[HeaderField, ...] = ()
    if isinstance(error, Unsatisfiable):
        headers = (error.content_range,)
    if not describe:
        return Response(status=error.http_status, headers=headers)
    content: dict[str, object] = {}
    if error.details is not None:
        content["Details"] = error.details
    if error.payload is not None:
        content["ErrorPayload"] = error.payload
    content |= {
        "HttpError": _REASONS.get(error.http_status, "Error"),
        "HttpStatus": error.http_status,
        "Message": error.text,
        "Method": method,
        "OrthancError": error.text,
        "OrthancStatus": error.code,
        "Uri": uri,
    }
    body = msgspec.json.format(msgspec.json.encode(content), indent=4) + b"\n"
    return Response(body, TEXT, error.http_status, headers)
