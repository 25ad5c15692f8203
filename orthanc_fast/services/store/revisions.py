"""Revisions of metadata and attachments: what a client has seen, and what is there. Source:
reference chapter 1, section 1.12."""

import re
from hashlib import md5
from typing import NamedTuple

from orthanc_fast.errors import ParameterOutOfRange, Revision

_TAG = re.compile(r'"?(-?[0-9]{1,18})-([^"]*)"?\Z')


class Version(NamedTuple):
    """One state of a value: its revision and the MD5 of its content, "" where that is not kept."""

    revision: int
    md5: str

    def __str__(self) -> str:
        """As it stands in an ETag."""
        return f'"{self.revision}-{self.md5}"'


def digest(content: bytes) -> str:
    """The MD5 of a content, as a version has it."""
    return md5(content, usedforsecurity=False).hexdigest()


def parse_version(text: str, header: str) -> Version:
    """The version that a header names. Raises ParameterOutOfRange."""
    match = _TAG.match(text.strip())
    if match is None:
        raise ParameterOutOfRange(
            f'The "{header}" HTTP header should contain the ETag (revision followed by MD5 hash), '
            f"but found: {text}"
        )
    return Version(int(match[1]), match[2])


def check(expected: Version | None, current: Version, demanded: bool) -> None:
    """Raises Revision unless the client knows the version that it is about to replace.

    `demanded` is the option CheckRevisions: then not to say what one knows is wrong as well.
    """
    if expected is None:
        if demanded:
            raise Revision(f"If-Match is missing: the present version is {current}")
    elif expected != current:
        raise Revision(f"{expected} is given, the present version is {current}")


def demand(expected: Version | None, demanded: bool) -> None:
    """For deletions, whose header is asked for before anything is looked up."""
    if expected is None and demanded:
        raise Revision('HTTP header "If-Match" is missing, as "CheckRevisions" is "true"')
