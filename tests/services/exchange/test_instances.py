"""What is sent to other servers, on each kind of index."""

import pytest
from support import generated
from support.small_store import SmallStore

from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.errors import BadFileFormat, InternalError, UnknownResource
from orthanc_fast.index.packed import unpack
from orthanc_fast.model import Caller, Level
from orthanc_fast.services.exchange.instances import Instances, Presentation, chosen
from orthanc_fast.services.retention.deletion import Deletion

EXPLICIT = "1.2.840.10008.1.2.1"


def test_resource_by_resource_in_the_order_in_which_they_came(
    small_store: SmallStore, caller: Caller
) -> None:
    numbers = [(1, 1, 1, 2), (1, 1, 2, 1), (1, 1, 1, 1), (2, 2, 3, 1)]
    added = [small_store.add(*each) for each in numbers]
    names = [to_text(added[1][Level.SERIES]), to_text(added[0][Level.STUDY])]
    found = chosen(small_store.reads, caller, names)
    expected = [added[1], added[0], added[1], added[2]]
    assert list(unpack(found.instances)) == [each[Level.INSTANCE] for each in expected]
    content = found.content()
    assert found.count == 4
    assert content["ParentResources"] == sorted(names)
    types = {each["ID"]: each["Type"] for each in content["Resources"]}
    assert types == {names[0]: "Series", names[1]: "Study"}


def test_what_names_nothing(small_store: SmallStore, caller: Caller) -> None:
    public = to_text(small_store.add(1, 1, 1, 1)[Level.PATIENT])
    for text in ("", "x", public[1:], public.replace("-", "_")):
        with pytest.raises(BadFileFormat):
            chosen(small_store.reads, caller, [public, text])
    nobody = to_text(bytes(20))
    with pytest.raises(InternalError):
        chosen(small_store.reads, caller, [nobody, public])
    with pytest.raises(UnknownResource):
        chosen(small_store.reads, caller, [public, nobody])
    assert chosen(small_store.reads, caller, []).content() == {}


def test_records_are_read_some_at_a_time(small_store: SmallStore, caller: Caller) -> None:
    added = [small_store.add(1, 1, 1, number)[Level.INSTANCE] for number in range(150)]
    instances = Instances(small_store.reads, caller, b"".join(added))
    assert len(instances) == 150
    assert [each.public for each in instances] == added
    assert [each.public for each in instances.since(149)] == added[149:]
    assert instances.presentations() == [Presentation(generated.CT, EXPLICIT)]
    first = next(iter(instances))
    assert first.presentation == Presentation(generated.CT, EXPLICIT)
    assert first.sop_instance.startswith(generated.ROOT)
    assert first.file is not None


def test_what_is_deleted_meanwhile_has_no_file(small_store: SmallStore, caller: Caller) -> None:
    added = [small_store.add(1, 1, 1, number)[Level.INSTANCE] for number in range(3)]
    instances = Instances(small_store.reads, caller, b"".join(added))
    walk = iter(instances.since(1))
    small_store.run(Deletion(small_store.writes).delete(caller, Level.INSTANCE, added[2]))
    found = list(walk)
    assert [each.public for each in found] == added[1:]
    assert [each.file is None for each in found] == [False, True]
