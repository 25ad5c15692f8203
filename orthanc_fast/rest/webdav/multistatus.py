"""The XML of answers. Source: RFC 4918, sections 9.1, 14 and 15; the layout is Orthanc's."""

import re
import time
from collections.abc import Sequence
from urllib.parse import quote

from orthanc_fast.rest.response import HeaderField
from orthanc_fast.services.webdav.instants import http_date, iso
from orthanc_fast.services.webdav.nodes import Item

XML: HeaderField = (b"content-type", b"application/xml; charset=UTF-8")
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
HEAD = f'{DECLARATION}<D:multistatus xmlns:D="DAV:">\n'.encode()
TAIL = b"</D:multistatus>\n"

# What XML allows nowhere: XML 1.0, section 2.2.
_NOWHERE = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def text(value: str) -> str:
    """As the content of an element."""
    value = _NOWHERE.sub("\ufffd", value)
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def path(segments: Sequence[str]) -> str:
    """A path as a URL has it, without a slash at its end."""
    return "".join(f"/{quote(each, safe='')}" for each in segments)


def responses(folder: Sequence[str], items: Sequence[Item]) -> bytes:
    """The elements of what lies in a folder, whose path is given."""
    above, now = path(folder), int(time.time())
    return "".join(
        _response(f"{above}/{quote(each.name, safe='')}", each, now) for each in items
    ).encode()


def of_itself(folder: Sequence[str]) -> bytes:
    """The element of a folder."""
    return _response(f"{path(folder)}/", Item(folder[-1]), int(time.time())).encode()


def of_file(segments: Sequence[str], item: Item) -> bytes:
    """The element of a file, whose path is given."""
    return _response(path(segments), item, int(time.time())).encode()


def _response(href: str, item: Item, now: int) -> str:
    second = now if item.modified is None else item.modified
    if item.kind is None:
        rest = """        <D:resourcetype>
          <D:collection />
        </D:resourcetype>
"""
    else:
        rest = f"""        <D:resourcetype />
        <D:getcontenttype>{item.kind}</D:getcontenttype>
        <D:getcontentlength>{item.size}</D:getcontentlength>
"""
    return f"""  <D:response>
    <D:href>{href}</D:href>
    <D:propstat>
      <D:status>HTTP/1.1 200 OK</D:status>
      <D:prop>
        <D:displayname>{text(item.name)}</D:displayname>
        <D:creationdate>{iso(second)}</D:creationdate>
        <D:getlastmodified>{http_date(second)}</D:getlastmodified>
{rest}      </D:prop>
    </D:propstat>
  </D:response>
"""
