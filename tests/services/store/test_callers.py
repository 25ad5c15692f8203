"""Who asks is the first argument of every service, and reaches the one place that judges it."""

import inspect
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support import generated
from support.renewed import renewal
from support.small_store import USER, SmallStore

from orthanc_fast.errors import ForbiddenAccess, UnknownResource
from orthanc_fast.model import Caller, Level
from orthanc_fast.registries import DICOM_ATTACHMENT, FIRST_USER_NUMBER
from orthanc_fast.services.administration.reconstruct import Options, Reconstruction
from orthanc_fast.services.attachments.changes import Attachments, Located
from orthanc_fast.services.attachments.parts import ContentParts
from orthanc_fast.services.attachments.reading import Contents
from orthanc_fast.services.browse.change_log import ChangeLog
from orthanc_fast.services.browse.describe import Describer
from orthanc_fast.services.browse.exports import Exports
from orthanc_fast.services.browse.instance_tags import InstanceTags
from orthanc_fast.services.browse.labels import Labels
from orthanc_fast.services.browse.metadata import Metadata
from orthanc_fast.services.browse.metadata_names import MetadataNames
from orthanc_fast.services.browse.resources import Resources
from orthanc_fast.services.find.content import Presentation, Presenter
from orthanc_fast.services.find.finder import Finder
from orthanc_fast.services.find.options import FindOptions
from orthanc_fast.services.find.query import FindQuery
from orthanc_fast.services.ingest.contract import IngestRequest
from orthanc_fast.services.ingest.unpack import Bounds
from orthanc_fast.services.ingest.uploads import Uploads
from orthanc_fast.services.pixels.pixels import Pixels
from orthanc_fast.services.retention.deletion import Deletion
from orthanc_fast.services.retention.protection import Protection
from orthanc_fast.services.volumes.plan import Numbers
from orthanc_fast.services.volumes.streaming import Streams
from orthanc_fast.services.volumes.volumes import Volumes, Wanted
from orthanc_fast.storage.conformance import is_gone
from orthanc_fast.storage.upload_memory import UploadMemory

OF_LABELS = Caller(origin="RestApi", user="guest", labels=frozenset({"public"}))

# Work on what a method with a caller has found before.
BELOW = {
    "Attachments.small_content",
    "Attachments.verify",
    "Attachments.sendable",
    "Finder.limit",
    "InstanceTags.json",
    "Uploads.arriving",
    "Uploads.gather",
    "Uploads.share",
    "Volumes.close",
}

# Arguments that are records: a method with a caller has found them before.
FOUND_BEFORE = {"found", "instance", "located", "owner"}


def services(store: SmallStore) -> Iterator[object]:
    reads, writes, settings = store.reads, store.writes, store.settings
    describer, files = Describer(store.dictionary), Contents(store.storage)
    tags = InstanceTags(reads, files, store.dictionary, lambda: "Latin1")
    finder = Finder(reads, tags, store.dictionary, store.main_tags, FindOptions())
    yield Attachments(settings, reads, writes, files)
    yield tags
    yield finder
    yield Resources(reads, describer)
    yield Labels(reads, writes)
    yield Metadata(reads, writes, settings)
    yield ChangeLog(reads, writes, settings)
    logging = msgspec.structs.replace(settings, log_exported_resources=True)
    yield Exports(reads, writes, logging, ContentParts(store.storage))
    yield Presenter(reads, describer, MetadataNames({}), finder.files)
    yield Deletion(writes)
    yield Protection(reads, writes)
    yield Uploads(store.ingest, store.storage, Bounds(), UploadMemory(1 << 20))
    pixels = Pixels(store.index, store.storage)
    yield Volumes(reads, pixels, Streams(pixels, store.storage))
    anew = renewal(store, settings)
    yield anew
    yield Reconstruction(
        reads,
        writes,
        files,
        anew,
        store.main_tags,
        store.dictionary,
        lambda: "Latin1",
    )


def methods(service: object) -> Iterator[Callable[..., Any]]:
    for name, method in inspect.getmembers(service, inspect.ismethod):
        if not name.startswith("_") and method.__qualname__ not in BELOW:
            yield method


def test_the_caller_comes_first(small_store: SmallStore) -> None:
    found = [method for service in services(small_store) for method in methods(service)]
    assert len(found) > 40
    for method in found:
        first = next(iter(inspect.signature(method).parameters.values()), None)
        assert first is not None and first.annotation in (Caller, "Caller"), method.__qualname__


def test_what_a_caller_does_not_see_is_as_if_it_were_not_there(
    small_store: SmallStore, tmp_path: Path
) -> None:
    """Whatever he asks: it is unknown, the answer is that of an empty store, or he is refused."""
    publics = small_store.add(1, 1, 1, 1)
    instance = small_store.resource(Level.INSTANCE, publics[3])
    assert instance is not None
    found = Located(instance, DICOM_ATTACHMENT, instance.attachments[DICOM_ATTACHMENT])
    empty = SmallStore(tmp_path / "empty")
    compared = 0
    for service, other in zip(services(small_store), services(empty), strict=True):
        for method, same in zip(methods(service), methods(other), strict=True):
            if not FOUND_BEFORE.isdisjoint(parameters(method)):
                continue
            given = [argument(method, name, publics, found) for name in parameters(method)]
            hidden = outcome(small_store, method, OF_LABELS, given)
            if hidden not in (ForbiddenAccess, UnknownResource):
                assert hidden == outcome(empty, same, USER, given), method.__qualname__
                compared += 1
    assert compared > 20
    totals = small_store.reads(USER, lambda view: view.totals())
    assert totals.resources == [1, 1, 1, 1]
    empty.close()


def outcome(store: SmallStore, method: Callable[..., Any], caller: Caller, given: list[Any]) -> Any:
    """What a method gives, in a form that can be compared, or the type of its error."""
    try:
        answer = method(caller, *given)
        if inspect.iscoroutine(answer):
            answer = store.run(answer)
        elif inspect.isgenerator(answer):
            answer = list(answer)
        elif isinstance(answer, tuple):
            answer = [list(each) if inspect.isgenerator(each) else each for each in answer]
    except Exception as error:
        return type(error)
    if isinstance(answer, msgspec.Struct) and hasattr(answer, "last_allocated"):
        answer = msgspec.structs.replace(answer, last_allocated=0)  # a number of the server's
    if isinstance(answer, msgspec.Struct) and hasattr(answer, "next_change"):
        answer = msgspec.structs.replace(answer, next_change=0, next_id=0, next_recycling=0)
    return answer


@pytest.mark.parametrize("waits", [False, True])
def test_nothing_is_stored_for_a_caller_of_some_labels(
    small_store: SmallStore, waits: bool
) -> None:
    """He comes with the file."""
    spool = small_store.storage.new_spool()
    spool.write(generated.small().number(1, 1, 1, 1))
    request = IngestRequest(caller=OF_LABELS, data=spool)
    with pytest.raises(ForbiddenAccess):
        if waits:
            small_store.run(small_store.ingest.store(request))
        else:
            small_store.ingest.submit(request, Future())
    assert is_gone(spool.read)
    totals = small_store.reads(USER, lambda view: view.totals())
    assert totals.resources[Level.INSTANCE] == 0


def parameters(method: Callable[..., Any]) -> list[str]:
    """The names of those that must be given, without the caller."""
    found = inspect.signature(method).parameters
    return [name for name, each in found.items() if each.default is each.empty][1:]


def argument(
    method: Callable[..., Any], name: str, publics: tuple[bytes, ...], found: Located
) -> object:
    """One that a caller who sees everything could give."""
    by_name: dict[str, object] = {
        "level": Level.STUDY,
        "above": Level.PATIENT,
        "below": Level.SERIES,
        "public": publics[Level.STUDY],
        "publics": list(publics),
        "packed": publics[Level.STUDY],
        "instances": [publics[Level.INSTANCE]],
        "resources": [(None, publics[0])],
        "number": FIRST_USER_NUMBER,
        "kind": FIRST_USER_NUMBER,
        "form": "simplify",
        "text": "text",
        "label": "label",
        "body": b"body",
        "content": b"content",
        "expected": None,
        "target": Path("never"),
        "tags": [0x00100010],
        "how": Presentation(),
        "query": FindQuery(level=Level.STUDY),
        "protected": True,
        "found": found,
        "located": found,
        "instance": found.owner,
        "compressed": True,
        "options": Options(),
        "index": 0,
        "wanted": Wanted(),
        "numbers": Numbers(),
        "selection": None,
        "since": 0,
        "to": -1,
        "limit": 100,
        "remote": "name",
    }
    return by_name[name]
