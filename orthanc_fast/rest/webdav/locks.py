"""What clients ask of every server before they change something, and Orthanc grants without
keeping anything of it. Source: the running server."""

from uuid import uuid4

from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import HeaderField, Response, empty_response
from orthanc_fast.rest.webdav.multistatus import DECLARATION, HEAD, TAIL, text

_METHODS = b"GET, PUT, DELETE, OPTIONS, PROPFIND, HEAD, LOCK, UNLOCK, PROPPATCH, MKCOL"
_XML: HeaderField = (b"content-type", b"application/xml")
_MULTI_STATUS = 207


def describe(request: Request) -> Response:
    return empty_response(200, ((b"dav", b"1,2"), (b"allow", _METHODS)))


def lock(request: Request) -> Response:
    token = f"opaquelocktoken:0x{uuid4().hex}"
    body = f"""{DECLARATION}<D:prop xmlns:D="DAV:">
  <D:lockdiscovery>
    <D:activelock>
      <D:locktype>
        <D:write />
      </D:locktype>
      <D:lockscope>
        <D:exclusive />
      </D:lockscope>
      <D:depth>0</D:depth>
      <D:timeout>Second-3599</D:timeout>
      <D:lockroot>
        <D:href>{text(_shown(request))}</D:href>
      </D:lockroot>
      <D:owner />
      <D:locktoken>
        <D:href>{token}</D:href>
      </D:locktoken>
    </D:activelock>
  </D:lockdiscovery>
</D:prop>
"""
    return Response(body.encode(), _XML, 201, ((b"lock-token", token.encode()),))


def unlock(request: Request) -> Response:
    return empty_response(204)


def set_properties(request: Request) -> Response:
    body = f"""  <D:response>
    <D:href>{text(_shown(request))}</D:href>
    <D:propstat />
  </D:response>
"""
    return Response(HEAD + body.encode() + TAIL, _XML, _MULTI_STATUS)


def _shown(request: Request) -> str:
    return "".join(f"/{each}" for each in request.segments)
