"""Options from environment variables and secret files, as Orthanc's Docker images have them.

`ORTHANC__STABLE_AGE` is StableAge, `ORTHANC__DICOM_WEB__ENABLE` is Enable in the section DicomWeb:
two underscores go one level down, single ones stand where a word begins. Names are compared without
underscores and in lower case, so that nobody has to know where a word begins. What the images do
is described in the chapter on Docker of Orthanc's book; where this server differs: docs/docker.md.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from orthanc_fast.config_file import parse, substitute
from orthanc_fast.config_options import BY_NAME, PLUGIN_SECTIONS, fits, kind_text
from orthanc_fast.config_plugins import Housekeeper, ServeFolders, Worklists
from orthanc_fast.config_sections import Cors, DicomWeb
from orthanc_fast.config_users import Sessions

PREFIX: Final = "ORTHANC__"
WHOLE: Final = "ORTHANC_JSON"
PASSWORD: Final = "ORTHANC_PASSWORD"
DEFAULTS: Final = "ORTHANC_FAST_DEFAULTS"
SECRETS: Final = Path("/run/secrets")
_FILE: Final = "_FILE"
_SECRET: Final = "_SECRET"

# Sections whose options have a type here: how their names are written, and what fits.
_SECTIONS: Final[dict[str, type[msgspec.Struct]]] = {
    "Cors": Cors,
    "DicomWeb": DicomWeb,
    "Housekeeper": Housekeeper,
    "ServeFolders": ServeFolders,
    "Sessions": Sessions,
    "Worklists": Worklists,
}
_WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z0-9])(?=[A-Z][a-z])")
_BY_KEY: Final = {name.lower(): name for name in (*BY_NAME, *PLUGIN_SECTIONS)}


class _Given(NamedTuple):
    source: str  # as messages name it
    path: list[str]  # components of the name, without the prefix
    text: str


def variable(name: str) -> str:
    """The environment variable of an option: StableAge is ORTHANC__STABLE_AGE."""
    return PREFIX + _WORD.sub("_", name).upper()


def add_environment(
    values: dict[str, Any],
    origin: dict[str, Path | str],
    environment: Mapping[str, str],
    secrets: Path,
    warn: Callable[[str], None],
) -> None:
    """Adds to `values`, which files gave, what variables and secrets say; they count more. `origin`
    learns for each option what set it. Raises ValueError, without the value: it may be secret."""
    whole = environment.get(WHOLE)
    if whole:
        for name, value in _json_object(whole, environment).items():
            values[name] = value
            origin[name] = f"the environment variable {WHOLE}"
    taken: dict[tuple[str, ...], str] = {}
    for given in _all_given(environment, secrets):
        key = tuple(_key(part) for part in given.path)
        if key in taken:
            raise ValueError(f"{given.source}: {taken[key]} sets the same option: give it once")
        taken[key] = given.source
        _add(values, origin, given, warn)
    if environment.get(PASSWORD) and values.get("RegisteredUsers") is None:
        values["RegisteredUsers"] = {"orthanc": environment[PASSWORD]}
        origin["RegisteredUsers"] = f"the environment variable {PASSWORD}"


def _json_object(text: str, environment: Mapping[str, str]) -> dict[str, Any]:
    try:
        value = parse(substitute(text, environment))
    except (ValueError, msgspec.DecodeError) as error:
        raise ValueError(f"the environment variable {WHOLE}: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"the environment variable {WHOLE} must be one JSON object in {{}}")
    return value


def _all_given(environment: Mapping[str, str], secrets: Path) -> Iterator[_Given]:
    for name in sorted(environment):
        if not name.startswith(PREFIX):
            continue
        source = f"the environment variable {name}"
        if name.endswith(_FILE):
            path, content = name.removesuffix(_FILE), _content(environment[name], source)
        elif name.endswith(_SECRET):
            path, content = (
                name.removesuffix(_SECRET),
                _content(secrets / environment[name], source),
            )
        else:
            path, content = name, environment[name]
        yield _Given(source, _components(path), content)
    if secrets.is_dir():
        for file in sorted(secrets.iterdir()):
            if file.name.upper().startswith(PREFIX):
                source = f"the secret {file}"
                yield _Given(source, _components(file.name), _content(file, source))


def _content(file: str | Path, source: str) -> str:
    try:
        return Path(file).read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{source}: cannot read {file}: {error}") from error


def _components(name: str) -> list[str]:
    return name[len(PREFIX) :].split("__")


def _key(component: str) -> str:
    return component.replace("_", "").lower()


def _add(
    values: dict[str, Any],
    origin: dict[str, Path | str],
    given: _Given,
    warn: Callable[[str], None],
) -> None:
    name = _BY_KEY.get(_key(given.path[0]))
    if name is None:
        known = {each.lower(): each for each in BY_NAME}
        close = difflib.get_close_matches(_key(given.path[0]), known, 1)
        hint = f": did you mean {variable(known[close[0]])}?" if close else ""
        warn(f"{given.source} sets no option that is known, and has no effect{hint}")
        return
    origin[name] = given.source
    if len(given.path) == 1:
        values[name] = _of_option(name, given)
        return
    section = values.get(name)
    values[name] = inner = dict(section) if isinstance(section, dict) else {}
    struct = _SECTIONS.get(name)
    for part in given.path[1:-1]:
        part_name = _name(part, struct)
        below = inner.get(part_name)
        inner[part_name] = inner = dict(below) if isinstance(below, dict) else {}
        struct = None
    part_name = _name(given.path[-1], struct)
    inner[part_name] = _of_section(part_name, struct, given.text)


def _name(component: str, struct: type[msgspec.Struct] | None) -> str:
    """As the section writes it; what is not known here with a capital at each word."""
    if struct is not None:
        for field in msgspec.structs.fields(struct):
            if field.encode_name.lower() == _key(component):
                return field.encode_name
    return "".join(word.capitalize() for word in component.split("_"))


def _candidates(text: str) -> Iterator[Any]:
    """What a text may mean, the most likely first."""
    if text.lower() in ("true", "false"):
        yield text.lower() == "true"
    with suppress(ValueError, msgspec.DecodeError):
        yield parse(text) if text[:1] in ("{", "[") else msgspec.json.decode(text)
    yield text


def _of_option(name: str, given: _Given) -> Any:
    option = BY_NAME.get(name)
    for value in _candidates(given.text):
        if option is None or fits(option, value):
            return value
    assert option is not None
    raise ValueError(
        f"{given.source}: the option {name!r} must be {kind_text(option.kind)}, as JSON"
    )


def _of_section(name: str, struct: type[msgspec.Struct] | None, text: str) -> Any:
    """Where nothing fits, the section itself says so."""
    found = list(_candidates(text))
    for field in msgspec.structs.fields(struct) if struct is not None else ():
        if field.encode_name == name:
            for value in found:
                try:
                    msgspec.convert(value, field.type)
                except msgspec.ValidationError:
                    continue
                return value
    return found[0]
