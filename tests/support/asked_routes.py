"""Which routes a test asks, from the paths that stand in its source; a test that puts its paths
together in other ways than with f-strings is not seen."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

UNKNOWN = "\0"  # a part of a path in a test that is computed there
LEVELS = ("patients", "studies", "series", "instances")
TEXT_METHODS = ("split", "rsplit", "partition", "rpartition", "join", "strip", "rstrip", "replace")

Components: TypeAlias = tuple[str, ...]


class Source:
    """The paths that stand in the source of a test, and all its words."""

    def __init__(self, path: Path, routes: set[Components]) -> None:
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
        wanted = components(route)
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
    parts = components(path.removeprefix(f"{UNKNOWN}/"))
    return None if open_left and not parts else (parts, open_left)


def components(path: str) -> Components:
    return tuple(part for part in path.split("/") if part)
