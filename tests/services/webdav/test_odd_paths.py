"""Paths as nobody would send them: each leads to a folder, a file or nothing, or is refused."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import webdav
from support.small_store import USER, SmallStore

from orthanc_fast.errors import InternalError, ParameterOutOfRange
from orthanc_fast.services.browse.describe import Describer
from orthanc_fast.services.webdav.nodes import Branch, Shelf
from orthanc_fast.services.webdav.tree import VIEWS, Tree

PIECES = st.one_of(
    st.text(min_size=1, max_size=30),
    st.sampled_from(
        [
            *("2024", "2024-01", "1.2.3.1", "1.2.3.1.1", "1.2.3.1.1.1.dcm", "study.json"),
            *("series.json", "P1 - Doe^Jane", "20240115 - Thorax", "CT - Axial 1 mm", "\xff.dcm"),
            *("x" * 3000, "x" * 3000 + ".dcm", "\ud7ff\U0010ffff", "0" * 44 + ".dcm", "....-.."),
        ]
    ),
)


@given(path=st.lists(PIECES, max_size=6), view=st.sampled_from(VIEWS))
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_odd_paths(small_store: SmallStore, path: list[str], view: str) -> None:
    if not small_store.reads(USER, lambda snapshot: snapshot.totals().resources[0]):
        for data in webdav.difficult():
            small_store.put(data)
    tree = Tree(small_store.reads, Describer(small_store.dictionary))
    try:
        node = tree.find(USER, [view, *path])
    except ParameterOutOfRange:
        assert view == "by-dates"
        assert len(path[0]) != 4
    except InternalError:
        assert view == "by-dates"
    else:
        if isinstance(node, Shelf | Branch):
            assert all(item.name for part in tree.items(USER, node) for item in part)
