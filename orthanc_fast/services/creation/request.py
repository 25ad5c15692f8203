"""What a client asks to be created: the JSON body, read field by field.

Source: reference chapter 3, section 3.6.1.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from orthanc_fast.dicom.text import known_term
from orthanc_fast.errors import BadRequest, NotImplementedYet, OrthancError, ParameterOutOfRange

NO_PAYLOAD: Final = 2022
BAD_PAYLOAD: Final = 2023
UNKNOWN_PARENT: Final = 2024

_CHARACTER_SET: Final = "SpecificCharacterSet"

Tags = Mapping[str, Any]


class Item(msgspec.Struct, frozen=True):
    """One instance of a series: its content as a data URI, and tags of its own."""

    content: str
    tags: Tags


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What shall be created. `term` announces the character set, None for the server's own;
    `content` is a data URI. In a series each of `items` becomes an instance. What is wrong with
    content is raised in its turn, when the tags are there: so it stands here as an error."""

    tags: Tags
    term: str | None = None
    force: bool = False
    literal: bool = False  # data URIs in tags are texts
    private_creator: str = ""
    content: str | OrthancError | None = None
    is_encapsulated: bool = False
    items: tuple[Item | OrthancError, ...] = ()


def head(body: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The character set's term and the parent, which are looked at first. Raises BadRequest,
    ParameterOutOfRange for an unknown character set, OrthancError 2024."""
    tags = body["Tags"]
    if not isinstance(tags, dict):
        raise BadRequest()
    term = _term(tags)
    parent = body.get("Parent")
    if "Parent" in body and not isinstance(parent, str):
        raise OrthancError(code=UNKNOWN_PARENT)
    return term, parent


def wanted(body: Mapping[str, Any], term: str | None, default_creator: str) -> Wanted:
    """The rest. Raises BadRequest for a field of the wrong type, NotImplementedYet."""
    content = body.get("Content")
    items = tuple(map(_item, content)) if isinstance(content, list) else ()
    if isinstance(content, list) or "Content" not in body:
        content = None
    elif not isinstance(content, str):
        content = OrthancError(code=BAD_PAYLOAD)
    return Wanted(
        tags=body["Tags"],
        term=term,
        force=_flag(body, "Force", False),
        literal=not _flag(body, "InterpretBinaryTags", True),
        private_creator=_text(body, "PrivateCreator", default_creator),
        content=content,
        is_encapsulated=_encapsulates(body),
        items=items,
    )


def _term(tags: Tags) -> str | None:
    """The character set counts under its name only."""
    if _CHARACTER_SET not in tags:
        return None
    text = tags[_CHARACTER_SET]
    if not isinstance(text, str):
        raise BadRequest(f"{_CHARACTER_SET} must be a string")
    term = known_term(text)
    if term is None:
        raise ParameterOutOfRange(f"Unknown specific character set: {text}")
    return term


def without_character_set(tags: Tags) -> Tags:
    """The tags that become elements one by one."""
    return {name: value for name, value in tags.items() if name != _CHARACTER_SET}


def _flag(body: Mapping[str, Any], name: str, default: bool) -> bool:
    value = body.get(name, default)
    if not isinstance(value, bool):
        raise BadRequest()
    return value


def _text(body: Mapping[str, Any], name: str, default: str) -> str:
    value = body.get(name, default)
    if not isinstance(value, str):
        raise BadRequest()
    return value


def _encapsulates(body: Mapping[str, Any]) -> bool:
    """Looked at only where there is content. Numbers are taken for truth values."""
    value, content = body.get("Encapsulate"), body.get("Content")
    if not content or value is None:
        return False
    if not isinstance(value, bool | int | float):
        raise BadRequest('The field "Encapsulate" must be a Boolean value')
    if value and isinstance(content, list):
        raise NotImplementedYet("only a single image can be encapsulated")
    return bool(value)


def _item(value: Any) -> Item | OrthancError:
    tags: Any = {}
    if isinstance(value, dict):
        if "Content" not in value:
            return OrthancError(code=NO_PAYLOAD)
        tags = value.get("Tags", {})
        value = value["Content"]
    if not isinstance(value, str):
        return OrthancError(code=BAD_PAYLOAD)
    if not isinstance(tags, dict):
        return BadRequest('The field "Tags" of an item must be an object')
    return Item(value, tags)
