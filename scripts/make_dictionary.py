"""Writes orthanc_fast/dicom/dictionary.msgpack from pydicom's data dictionaries and
attributes_since_2024.txt (facts: tags, VRs, keywords).

Run it when pydicom is updated: python scripts/make_dictionary.py
"""

import re
from pathlib import Path

import msgspec
from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary
from pydicom._private_dict import private_dictionaries

NEWER = Path(__file__).with_name("attributes_since_2024.txt")
TARGET = Path(__file__).parent.parent / "orthanc_fast" / "dicom" / "dictionary.msgpack"


def keyword_of(name: str) -> str:
    """A private attribute has a name only; its keyword is the name with its words joined."""
    words = re.findall(r"[0-9A-Za-z]+", name)
    return "".join(word[0].upper() + word[1:] for word in words)


def newer() -> dict[int, tuple[str, str, str, bool]]:
    """What the standard has added or changed since pydicom's edition of it."""
    lines = [line.split() for line in NEWER.read_text().splitlines() if line[0] != "#"]
    return {int(tag, 16): (keyword, vr, vm, bool(rest)) for tag, vr, vm, keyword, *rest in lines}


def main() -> None:
    standard = {
        tag: (keyword, vr, vm, bool(retired))
        for tag, (vr, vm, _, retired, keyword) in DicomDictionary.items()
        if keyword
    } | newer()
    repeating = {
        pattern: (keyword, vr, vm, bool(retired))
        for pattern, (vr, vm, _, retired, keyword) in RepeatersDictionary.items()
        if keyword
    }
    private: dict[str, dict[int, tuple[str, str]]] = {}
    for creator, entries in private_dictionaries.items():
        rows = private.setdefault(creator, {})
        for pattern, (vr, _, name, _) in entries.items():
            group, element = pattern[:4], pattern[-2:]
            if "x" in group or "x" in element:
                continue
            keyword = keyword_of(name)
            if keyword and keyword != "Unknown":
                rows[int(group, 16) << 8 | int(element, 16)] = (keyword, vr)
    TARGET.write_bytes(
        msgspec.msgpack.encode(
            {
                "standard": dict(sorted(standard.items())),
                "repeating": dict(sorted(repeating.items())),
                "private": dict(sorted(private.items())),
            }
        )
    )
    print(f"{len(standard)} standard, {len(repeating)} repeating, {len(private)} private creators")


if __name__ == "__main__":
    main()
