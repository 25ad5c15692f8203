"""ETag, If-Match and If-None-Match. Source: reference chapter 1, section 1.12."""

from orthanc_fast.errors import OrthancError
from orthanc_fast.rest.errors import error_response
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import HeaderField, Response, empty_response
from orthanc_fast.services.store.revisions import Version, demand, parse_version


def etag(version: Version) -> HeaderField:
    return (b"etag", str(version).encode())


def if_match(request: Request) -> Version | None:
    """The version that the client wants to change. Raises ParameterOutOfRange."""
    found = request.header(b"if-match")
    return None if found is None else parse_version(found.decode("latin-1"), "if-match")


def if_match_of_deletion(request: Request) -> Version | None:
    """As `if_match`; raises Revision if the configuration demands the header and it is missing."""
    expected = if_match(request)
    demand(expected, request.services.settings.check_revisions)
    return expected


def not_modified(request: Request, version: Version) -> Response | None:
    """The 304, where the client has this version; the 400 for a header that cannot be read."""
    found = request.header(b"if-none-match")
    if found is None:
        return None
    try:
        known = parse_version(found.decode("latin-1"), "If-None-Match")
    except OrthancError as error:
        return failed(request, error, version)
    return empty_response(304, (etag(version),)) if known == version else None


def failed(request: Request, error: OrthancError, version: Version) -> Response:
    """The answer to a request that failed after its ETag was known: the header survives."""
    describe = request.services.settings.http_describe_errors
    response = error_response(error, request.method, request.path, describe)
    response.headers = (*response.headers, etag(version))
    return response
