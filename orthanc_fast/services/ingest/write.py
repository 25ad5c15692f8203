"""The write that enters one instance into the index."""

import msgspec

from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.errors import FullStorage
from orthanc_fast.index.contract import MakeRoom, Transaction
from orthanc_fast.model import Level, NewInstance, Outcome, Resource
from orthanc_fast.registries import is_user_number
from orthanc_fast.services.ingest.contract import IngestRequest, Stored
from orthanc_fast.services.store.file_effects import FilesWrite
from orthanc_fast.storage.contract import Pending

INSUFFICIENT_STORAGE = 507  # the HTTP status of a full store, where instances are stored


class StoreWrite(FilesWrite):
    """Results in a `Stored`; fails with FullStorage."""

    __slots__ = ("_make_room", "_new", "_request", "_stored")

    def __init__(
        self,
        new: NewInstance,
        files: list[Pending],
        stored: Stored,
        make_room: MakeRoom | None,
        request: IngestRequest,
    ) -> None:
        """Of `request` only what is to be set counts."""
        super().__init__(files)
        self._new = new
        self._stored = stored
        self._make_room = make_room
        self._request = request

    @property
    def new(self) -> NewInstance:
        return self._new

    @property
    def publics(self) -> tuple[bytes, bytes, bytes, bytes]:
        return self._stored.publics

    @property
    def is_quick(self) -> bool:
        """Not where it may have to delete patients to make room."""
        return self._make_room is None and super().is_quick

    def apply(self, transaction: Transaction) -> Outcome:
        outcome = transaction.store_instance(self._new, self._make_room)
        request = self._request
        is_marked = outcome.stored and (request.metadata or request.labels or request.made_from)
        is_labelled = request.labels_known and not outcome.refused
        if is_marked or is_labelled:
            for level, public in zip(Level, self._new.publics, strict=True):
                resource = transaction.resource(level, public)
                assert resource is not None
                if is_marked:
                    _mark(transaction, resource, request)
                _label(transaction, resource, request)
        return outcome

    def finish(self, outcome: Outcome) -> Stored:
        if outcome.stored:
            return self._stored
        if outcome.refused:
            raise FullStorage(http_status=INSUFFICIENT_STORAGE)
        return msgspec.structs.replace(self._stored, status="AlreadyStored")


def _mark(transaction: Transaction, resource: Resource, request: IngestRequest) -> None:
    for number, text in request.metadata.get(resource.level, {}).items():
        if is_user_number(number):
            transaction.set_metadata(resource, number, text.encode())
        else:
            transaction.set_builtin_metadata(resource, number, text)
    made_from = request.made_from
    if made_from is not None:
        old = made_from.publics[resource.level]
        if resource.level == Level.INSTANCE or old != resource.public:
            transaction.set_builtin_metadata(resource, made_from.number, to_text(old))


def _label(transaction: Transaction, resource: Resource, request: IngestRequest) -> None:
    for label in request.labels.get(resource.level, ()):
        transaction.add_label(resource, label)
