"""The exception tree: what its texts may tell."""

import ast
import inspect
import re
from pathlib import Path

import pytest

import orthanc_fast
from orthanc_fast import errors
from orthanc_fast.errors import FullStorage, OrthancError

PACKAGE = Path(orthanc_fast.__file__).parent
CLASSES = {
    name
    for name, found in inspect.getmembers(errors, inspect.isclass)
    if issubclass(found, OrthancError)
} | {"SyncFailed"}
# What the variables that hold a place on this machine are called.
PLACE = re.compile(r"(?:^|[._])(?:path|folder|root|directory)$|^(?:target|candidate)$")


def test_the_log_gets_what_the_client_does_not() -> None:
    error = FullStorage("no space left", private=Path("/secret/place"), http_status=507)
    assert error.details == "no space left"
    assert str(error) == "The file storage is full: no space left (/secret/place)"
    assert str(FullStorage(private="/secret")) == "The file storage is full (/secret)"


def shown(call: ast.Call) -> list[str]:
    """The variables in the text that the client sees."""
    if not call.args:
        return []
    values = [node.value for node in ast.walk(call.args[0]) if isinstance(node, ast.FormattedValue)]
    return [ast.unparse(value) for value in values]


@pytest.mark.parametrize(
    "file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: str(file.relative_to(PACKAGE))
)
def test_no_text_for_the_client_names_a_path(file: Path) -> None:
    found = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            if name in CLASSES:
                found += [text for text in shown(node) if PLACE.search(text)]
    assert not found
