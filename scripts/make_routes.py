"""Writes docs/routes.md: every route of Orthanc, whether it is here, and what it needs.

`python scripts/make_routes.py` writes the file; tests/test_routes_table.py says when it is old, and
which routes no test asks. What is here is read from the router.
"""

import re
from collections.abc import Collection
from itertools import product
from pathlib import Path
from typing import NamedTuple

from orthanc_fast.config import Settings
from orthanc_fast.rest.routes import build_router
from orthanc_fast.rights import Need, Right, names_of

ROOT = Path(__file__).parents[1]
SOURCE = Path(__file__).with_name("routes_of_orthanc.txt")
TABLE = ROOT / "docs" / "routes.md"

FIRST_LATER_CHAPTER = 3

CHAPTERS = {
    1: "Resources, searching, system",
    2: "DICOM files as JSON and pictures",
    3: "Modification, archives, jobs",
    4: "Networking",
    5: "DICOMweb",
}

HEAD = """# Routes of Orthanc

Every route of Orthanc 1.13, and whether it is here; made by `scripts/make_routes.py`. Each that is
here is asked by a test, as `tests/test_routes_table.py` finds out from their sources. Besides,
`tests/rest/test_openapi.py` throws generated requests at every route. `{}` is any one component of
a path, `{*}` any number of them, `{a,b}` stands for one route each. *later* are those that need
what later versions bring: jobs, archives, the network.

*needs* is the right that a user needs, or one of two: see [users.md](users.md). A star marks what
is refused to users who see some studies only, a star in brackets what is refused to them of some of
the paths.
"""


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


def own(here: Collection[tuple[str, str]]) -> list[tuple[str, str]]:
    """The routes that Orthanc does not have, in the order of their paths."""
    known = {r for line in lines() for r in product(line.methods, expand(line.pattern))}
    return sorted(set(here) - known, key=lambda route: route[::-1])


def table() -> str:
    """The content of docs/routes.md."""
    by_route = needs_of_routes()
    here = set(by_route)
    text = HEAD
    for chapter, title in CHAPTERS.items():
        text += f"\n## {title}\n\n| methods | path | here | needs |\n|---|---|---|---|\n"
        for line in lines():
            if line.chapter == chapter:
                methods = ", ".join(line.methods)
                text += f"| {methods} | `{line.pattern}` | {state(line, here)} | "
                text += f"{needs(line, by_route)} |\n"
    text += "\n## This server's own\n\n| methods | path | needs |\n|---|---|---|\n"
    for method, path in own(here):
        line = Line(1, (method,), path)
        text += f"| {method} | `{path}` | {needs(line, by_route)} |\n"
    return text


if __name__ == "__main__":
    TABLE.write_text(table())
