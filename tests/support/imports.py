"""The modules of a package and what each imports, read from their source."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path


def modules_of(package: Path) -> dict[str, Path]:
    """The files of all modules by full name; a package is its `__init__.py`."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path, modules: Iterable[str]) -> set[str]:
    """The full names of all that a file imports, wherever in it: inside functions and for type
    checking, too. `from package import module` is that module, if it is one of `modules`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in modules else node.module)
    return found


def cycles(graph: Mapping[str, Iterable[str]]) -> Iterator[list[str]]:
    """One cycle through each edge that closes one, as a path that ends where it begins."""
    done: set[str] = set()

    def walk(path: list[str]) -> Iterator[list[str]]:
        for name in sorted(graph.get(path[-1], ())):
            if name in path:
                yield [*path[path.index(name) :], name]
            elif name not in done:
                yield from walk([*path, name])
        done.add(path[-1])

    for start in sorted(graph):
        if start not in done:
            yield from walk([start])
