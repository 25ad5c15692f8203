from collections.abc import Callable

from typing_extensions import Buffer

class ScanError(ValueError): ...

def scan(
    data: Buffer, start: int, explicit: bool, big: bool, table: bytes, implicit: bytes
) -> tuple[
    dict[int, str | int | tuple[int, bytes]], tuple[int, int, int, int, int] | None, bool
]: ...
def has_vr(values: dict[int, str | int | tuple[int, bytes]], vr: int) -> bool: ...
def texts(
    values: dict[int, str | int | tuple[int, bytes]],
    tags: tuple[int, ...],
    longest: int,
    otherwise: Callable[[int], str | None],
) -> dict[int, str]: ...
def meta_header(
    data: Buffer, start: int, explicit: bool = True
) -> tuple[list[tuple[int, int, bytes]], int]: ...
def elements(
    data: Buffer, start: int, end: int, explicit: bool, big: bool, most: int = -1
) -> list[tuple[int, int, int, int, int, int]]: ...
def start_of(tag: int, data: Buffer, start: int, explicit: bool, big: bool) -> int | None: ...
def items(
    data: Buffer, start: int, end: int, explicit: bool, big: bool, fragments: bool = False
) -> list[tuple[int, int]]: ...
