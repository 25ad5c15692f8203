"""Writes docs/routes.md: every route of Orthanc, whether it is here, and the tests that ask it.

`python scripts/make_routes.py` writes the file; tests/test_routes_table.py says when it is old.
What is here is read from the router, the tests from the paths that stand in their sources; a test
that puts its paths together in other ways than with f-strings is not seen.
"""

import ast
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple, TypeAlias

from orthanc_fast.config import Settings
from orthanc_fast.rest.routes import build_router
from orthanc_fast.rights import Need, Right, names_of

ROOT = Path(__file__).parents[1]
SOURCE = Path(__file__).with_name("routes_of_orthanc.txt")
TABLE = ROOT / "docs" / "routes.md"
TESTS = ROOT / "tests"

FIRST_LATER_CHAPTER = 3
UNKNOWN = "\0"  # a part of a path in a test that is computed there

CHAPTERS = {
    1: "Resources, searching, system",
    2: "DICOM files as JSON and pictures",
    3: "Modification, archives, jobs",
    4: "Networking",
    5: "DICOMweb",
}

HEAD = """# Routes of Orthanc

Every route of Orthanc 1.13, whether it is here, and the tests that name it;
made by `scripts/make_routes.py`. Besides, `tests/rest/test_openapi.py` throws generated requests
at every route. `{}` is any one component of a path, `{*}` any number of them, `{a,b}` stands for
one route each. *later* are those that need what later versions bring: jobs, archives, the network.

*needs* is the right that a user needs, or one of two: see [users.md](users.md). A star marks what
is refused to users who see some studies only, a star in brackets what is refused to them of some of
the paths.
"""

LEVELS = ("patients", "studies", "series", "instances")
TEXT_METHODS = ("split", "rsplit", "partition", "rpartition", "join", "strip", "rstrip", "replace")
MOST_TESTS = 5  # that are named for one route


Components: TypeAlias = tuple[str, ...]


class Line(NamedTuple):
    chapter: int
    methods: tuple[str, ...]
    pattern: str


def lines() -> list[Line]:
    """The routes of Orthanc, as they are listed beside this script."""
    found = []
    for text in SOURCE.read_text().splitlines():
        if text and not text.startswith("#"):
            chapter, methods, pattern = text.split()
            found.append(Line(int(chapter), tuple(methods.split(",")), pattern))
    return found


def expand(pattern: str) -> list[str]:
    """The paths that `{a,b}` in a pattern stands for."""
    parts = re.split(r"\{([^{}*]*,[^{}]*)\}", pattern)
    choices = [part.split(",") if number % 2 else [part] for number, part in enumerate(parts)]
    return ["".join(chosen) for chosen in product(*choices)]


def needs_of_routes() -> dict[tuple[str, str], Need]:
    """What the routes of a server with the default configuration need, by (method, path)."""
    return {(route.method, route.path): route.need for route in build_router(Settings()).routes}


def served() -> set[tuple[str, str]]:
    """The routes of a server with the default configuration, as (method, path)."""
    return set(needs_of_routes())


def needs(line: Line, here: dict[tuple[str, str], Need]) -> str:
    """The rights that the methods of a line need, in their order."""
    texts = {method: _needs_of(line, method, here) for method in line.methods}
    known = {method: text for method, text in texts.items() if text}
    if len(set(known.values())) <= 1:
        return next(iter(known.values()), "")
    return ", ".join(f"{method} {text}" for method, text in known.items())


def _needs_of(line: Line, method: str, here: dict[tuple[str, str], Need]) -> str:
    routes = [(method, path) for path in expand(line.pattern)]
    found = {here[route] for route in routes if route in here}
    rights = {(need.any_of, need.also) for need in found}
    names = "/".join(map(_rights, rights))
    refused = {not need.limited for need in found}
    return names + ("" if True not in refused else "\\*" if False not in refused else "(\\*)")


def _rights(wanted: tuple[Right, Right]) -> str:
    any_of, also = wanted
    names = " or ".join(names_of(any_of)) or "none"
    return " and ".join([names, *names_of(also)])


def missing(line: Line, here: set[tuple[str, str]]) -> list[tuple[str, str]]:
    wanted = product(line.methods, expand(line.pattern))
    return [route for route in wanted if route not in here]


def state(line: Line, here: set[tuple[str, str]]) -> str:
    lacking = missing(line, here)
    if not lacking:
        return "yes"
    none = "later" if line.chapter >= FIRST_LATER_CHAPTER else "**no**"
    if len(lacking) == len(line.methods) * len(expand(line.pattern)):
        return none
    return f"{none}: {', '.join(f'{method} {path}' for method, path in lacking)}"


class Source:
    """The paths that stand in the source of a test, and all its words."""

    def __init__(self, path: Path, routes: set[Components]) -> None:
        self.name = str(path.relative_to(TESTS))
        tree = ast.parse(path.read_text())
        self._constants = {
            target.id: statement.value.value
            for statement in tree.body
            if isinstance(statement, ast.Assign)
            and isinstance(statement.value, ast.Constant)
            and isinstance(statement.value.value, str)
            for target in statement.targets
            if isinstance(target, ast.Name)
        }
        texts = list(self._texts(tree))
        self._words = {word for text in texts for word in re.split(r"[^\w.-]+", text)}
        self._whole: set[Components] = set()
        self._ends: set[Components] = set()  # of paths whose beginning is computed
        for parts, is_open in filter(None, map(_path, texts)):
            # What is the path of a route as a whole is no end of another one.
            if is_open and parts[-1] != UNKNOWN and not any(self._fits(parts, r) for r in routes):
                self._ends.add(parts)
            elif any(part != UNKNOWN for part in parts) or not is_open:
                self._whole.add(parts)

    def _texts(self, tree: ast.Module) -> Iterator[str]:
        left_out = {
            id(argument)
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in TEXT_METHODS
            for argument in node.args
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):  # its parts are looked at together
                left_out |= {id(part) for part in node.values}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                yield "".join(self._part(part) for part in node.values)
            elif (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and id(node) not in left_out
            ):
                yield re.sub(r"\{\w*\}", UNKNOWN, node.value)

    def _part(self, part: ast.expr) -> str:
        if isinstance(part, ast.Constant):
            return str(part.value)
        if isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.Name):
            return self._constants.get(part.value.id, UNKNOWN)
        return UNKNOWN

    def asks(self, route: str) -> bool:
        """Whether one of the paths is one of the route, as far as the source tells."""
        wanted = _components(route)
        if any(self._fits(asked, wanted) for asked in self._whole):
            return True
        return any(
            len(asked) < len(wanted)
            and self._fits(asked, wanted[-len(asked) :])
            and self._names(wanted[: -len(asked)])
            for asked in self._ends
        )

    def _names(self, components: Components) -> bool:
        return all(part == "{}" or part in LEVELS or part in self._words for part in components)

    def _fits(self, asked: Components, wanted: Components) -> bool:
        if wanted and wanted[-1] == "{*}":
            wanted, asked = wanted[:-1], asked[: len(wanted) - 1]
        if len(asked) != len(wanted):
            return False
        return all(
            target == "{}" or given == target or (given == UNKNOWN and self._names((target,)))
            for given, target in zip(asked, wanted, strict=True)
        )


def _path(text: str) -> tuple[Components, bool] | None:
    """The components, and whether the path may begin further to the left."""
    path = text.partition("?")[0]
    if "/" not in path or "//" in path or re.search(r"[\s<>]", path):
        return None
    open_left = not path.startswith("/")
    components = _components(path.removeprefix(f"{UNKNOWN}/"))
    return None if open_left and not components else (components, open_left)


def _components(path: str) -> Components:
    return tuple(part for part in path.split("/") if part)


def tests_of(line: Line, sources: list[Source]) -> str:
    paths = expand(line.pattern)
    names = [each.name for each in sources if any(map(each.asks, paths))]
    return ", ".join(names[:MOST_TESTS]) + (" ..." if len(names) > MOST_TESTS else "")


def table() -> str:
    """The content of docs/routes.md."""
    by_route = needs_of_routes()
    here = set(by_route)
    routes = {_components(path) for _, path in here}
    sources = [Source(path, routes) for path in sorted(TESTS.rglob("test_*.py"))]
    text = HEAD
    known = set()
    for chapter, title in CHAPTERS.items():
        text += f"\n## {title}\n\n| methods | path | here | needs | tests |\n"
        text += "|---|---|---|---|---|\n"
        for line in lines():
            if line.chapter == chapter:
                known |= set(product(line.methods, expand(line.pattern)))
                tests = tests_of(line, sources)
                methods = ", ".join(line.methods)
                text += f"| {methods} | `{line.pattern}` | {state(line, here)} | "
                text += f"{needs(line, by_route)} | {tests} |\n"
    text += "\n## This server's own\n\n| methods | path | needs | tests |\n|---|---|---|---|\n"
    for method, path in sorted(here - known, key=lambda route: route[::-1]):
        line = Line(1, (method,), path)
        text += f"| {method} | `{path}` | {needs(line, by_route)} | {tests_of(line, sources)} |\n"
    return text


if __name__ == "__main__":
    TABLE.write_text(table())
