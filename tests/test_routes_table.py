"""docs/routes.md is what scripts/make_routes.py would write now, and holds no gap; each route has a
test."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from support.asked_routes import Source, components

TESTS = Path(__file__).parent
SCRIPT = Path(__file__).parents[1] / "scripts" / "make_routes.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    specification = importlib.util.spec_from_file_location("make_routes", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def table(script: ModuleType) -> str:
    return str(script.table())


def test_is_current(script: ModuleType, table: str) -> None:
    assert script.TABLE.read_text() == table, "run: python scripts/make_routes.py"


def test_no_route_of_the_first_chapters_is_missing(script: ModuleType) -> None:
    here = script.served()
    early = [line for line in script.lines() if line.chapter < script.FIRST_LATER_CHAPTER]
    assert [gap for line in early for gap in script.missing(line, here)] == []


def test_every_route_that_is_here_is_asked_by_a_test(script: ModuleType) -> None:
    here = script.served()
    routes = {components(path) for _, path in here}
    sources = [Source(path, routes) for path in sorted(TESTS.rglob("test_*.py"))]
    lines = [line for line in script.lines() if script.state(line, here) == "yes"]
    wanted = [script.expand(line.pattern) for line in lines]
    wanted += [[path] for _, path in script.own(here)]
    assert len(wanted) > 150
    assert [
        paths
        for paths in wanted
        if not any(source.asks(path) for source in sources for path in paths)
    ] == []


def test_patterns(script: ModuleType) -> None:
    assert script.expand("/{a,b}/{}/{c,d}") == ["/a/{}/c", "/a/{}/d", "/b/{}/c", "/b/{}/d"]
    assert script.expand("/app/{*}") == ["/app/{*}"]


def test_paths_in_sources(tmp_path: Path) -> None:
    source = tmp_path / "test_x.py"
    source.write_text(
        'BASE = "/tools/log"\n'
        'a = f"{url}/instances/{x}/file?b"; b = f"{BASE}-level"; c = f"/{level}/{x}/labels"\n'
        'for name in ("md5", "size"): d = f"{path}/{name}"; e = f"{path}/pdf"\n'
    )
    found = Source(source, {("instances", "{}", "file"), ("instances",)})
    for route in ("/instances/{}/file", "/tools/log-level", "/studies/{}/labels"):
        assert found.asks(route), route
    assert found.asks("/instances/{}/pdf")
    for route in ("/tools/find", "/instances", "/studies/{}/module", "/jobs/{}/pdf"):
        assert not found.asks(route), route
