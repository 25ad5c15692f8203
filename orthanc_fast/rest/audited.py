"""What the audit log says of requests: one line for each that reads, changes, sends or deletes what
is stored, or is refused. What instances are stored by a request is said by the ingest."""

import re
import time
from collections.abc import Sequence
from typing import Final

from orthanc_fast.config import Settings
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import Response
from orthanc_fast.rest.router import Handler, Reply
from orthanc_fast.services.audit.entries import Event, EventOutcome, Touched, Who, who
from orthanc_fast.services.audit.log import AuditLog, Note

_READS: Final = frozenset({"GET", "PROPFIND", "OPTIONS"})
# Where reading shows something of patients, beside DICOMweb.
_SHOWN: Final = frozenset(
    {"patients", "studies", "series", "instances", "exports", "jobs", "queries", "webdav"}
    | {"worklists"}
)
_SEARCHES: Final = frozenset({"find", "lookup", "count-resources", "bulk-content"})
_SENDS: Final = frozenset({"store", "store-straight", "stow"})
_FETCHES: Final = frozenset({"retrieve", "move", "get", "wado"})
_DOWNLOADS: Final = frozenset({"archive", "media", "create-archive", "create-media"})
_UID: Final = re.compile(r"[0-9]+(\.[0-9]+)+")
_PUBLIC: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{8}){4}")
_PUBLIC_IN_BODY: Final = re.compile(_PUBLIC.pattern.encode())
_LARGEST_BODY: Final = 1 << 20  # bytes in which identifiers are looked for


class RestAudit:
    """Of one worker."""

    def __init__(self, log: AuditLog, settings: Settings) -> None:
        self._log = log
        self._reads = log.options.reads
        web = settings.dicom_web
        self._dicom_web = web.root.strip("/").split("/") if web.enable else []
        wado = {web.wado_root.strip("/").split("/")[0]} if web.enable and web.enable_wado else set()
        self._shown = _SHOWN | set(self._dicom_web[:1]) | wado

    def begin(self, request: Request, handler: Handler) -> Handler:
        """Notes what the path names. The handler is another one where the body has to be looked at
        before it is done."""
        segments = request.segments
        params = set(request.params)
        route = "/" + "/".join("{}" if each in params else each for each in segments)
        publics = [bytes.fromhex(each.replace("-", "")) for each in _publics(segments)]
        touched = request.audited = Touched(route, publics, self._uids(segments), None)
        if request.method == "DELETE":  # afterwards nobody knows
            touched.subjects = self._log.subjects(touched.publics, touched.uids)
        elif segments[-1:] == ["bulk-delete"]:
            return self._deleting(handler, touched)
        return handler

    def _deleting(self, handler: Handler, touched: Touched) -> Handler:
        async def handle(request: Request) -> Response:
            touched.publics += _publics_of_body(await request.body())
            touched.subjects = self._log.subjects(touched.publics, touched.uids)
            reply: Reply = handler(request)
            return reply if isinstance(reply, Response) else await reply

        return handle

    def end(self, request: Request, status: int) -> None:
        """Writes the line of a request that is about to be answered with this status."""
        segments, method = request.segments, request.method
        is_read = method in _READS
        outcome = _outcome(status)
        if outcome != "refused":
            if is_read and not (self._reads and segments and segments[0] in self._shown):
                return
            if not is_read and request.audited is None and method not in ("POST", "PUT", "DELETE"):
                return
        touched = request.audited or Touched("", [], [], None)
        publics, subjects = touched.publics, touched.subjects
        if subjects is None and not is_read and not self._is_upload(method, segments):
            publics = [*publics, *_publics_of_body(request.read_body or b"")]
        self._log.note(
            Note(
                _who(request),
                self._event(method, segments),
                outcome,
                time.time(),
                request.real_method,
                touched.route,
                request.path,
                status,
                publics,
                touched.uids,
                subjects,
            )
        )

    def _uids(self, segments: Sequence[str]) -> list[str]:
        """The study that a path of DICOMweb names."""
        root = self._dicom_web
        rest = list(segments[len(root) :]) if root and list(segments[: len(root)]) == root else []
        is_study = len(rest) > 1 and rest[0] == "studies" and _UID.fullmatch(rest[1])
        return [rest[1]] if is_study else []

    def _is_upload(self, method: str, segments: Sequence[str]) -> bool:
        last = segments[-1:]
        return method == "POST" and (list(segments) == ["instances"] or last == ["studies"])

    def _event(self, method: str, segments: Sequence[str]) -> Event:
        last = segments[-1] if segments else ""
        if method in _READS or last in _DOWNLOADS:
            return "read"
        if method == "DELETE" or last == "bulk-delete":
            return "delete"
        if last in _SEARCHES or last.startswith(("query", "find")):
            return "search"
        if last in _SENDS:
            return "send"
        if last in _FETCHES:
            return "retrieve"
        if self._is_upload(method, segments) or segments[:1] == ["webdav"]:
            return "store"
        return "change"


def _who(request: Request) -> Who:
    """Who was not let in has no name."""
    caller = getattr(request, "caller", None)
    if caller is None:
        return Who("RestApi", None, request.remote_ip, None, None)
    return who(caller)


def _outcome(status: int) -> EventOutcome:
    if status in (401, 403, 429):
        return "refused"
    return "success" if status < 400 else "failed"


def _publics(segments: Sequence[str]) -> list[str]:
    return [each for each in segments if _PUBLIC.fullmatch(each)]


def _publics_of_body(body: bytes) -> list[bytes]:
    """The identifiers of resources that a body of JSON or text names."""
    found = dict.fromkeys(_PUBLIC_IN_BODY.findall(body[:_LARGEST_BODY]))
    return [bytes.fromhex(each.decode().replace("-", "")) for each in found]
