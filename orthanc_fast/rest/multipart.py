"""Requests with a body of multipart/form-data: every part is a request of its own. Source:
reference chapter 1, section 1.7."""

import re
from collections.abc import AsyncGenerator

from orthanc_fast.errors import OrthancError
from orthanc_fast.rest.body import add, discarded, finished
from orthanc_fast.rest.form_data import FormParser
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import NETWORK_PROTOCOL, HeaderField
from orthanc_fast.services.ingest.uploads import Spool

_SIZE = re.compile(rb"[0-9]{1,18}")


def chunked_file(request: Request) -> tuple[str, int] | None:
    """(name, size) of the file whose chunks the parts are, None where each is a file. Raises code 9
    if one of the two headers is missing or wrong, Refused (413)."""
    name, announced = request.header(b"x-file-name"), request.header(b"x-file-size")
    if name is None and announced is None:
        return None
    if name is None or announced is None or not _SIZE.fullmatch(announced):
        raise OrthancError(
            "X-File-Name and X-File-Size, a number of bytes, belong together", code=NETWORK_PROTOCOL
        )
    size = int(announced)
    request.check_size(size)
    return name.decode("latin-1"), size


async def parts(
    request: Request, separator: bytes
) -> AsyncGenerator[tuple[list[HeaderField], bytes | Spool]]:
    """(headers in lower case, content) of each complete part, as soon as it has come; a spool
    belongs to the caller. Raises as reading the body does, and BadRequest."""
    parser = FormParser(separator)
    headers: list[HeaderField] = []
    body = request.arriving()
    try:
        async for chunk in request.chunks():
            for event in parser.feed(chunk):
                if isinstance(event, bytes | memoryview):
                    await add(body, event)
                elif event is not None:
                    headers, body = event, request.arriving()
                else:
                    yield headers, await finished(body)
                    request.release()
    finally:
        await discarded(body)
