"""The DICOM modules whose tags /module shows. Source: reference chapter 2, section 1.10, with its
oddities."""

from typing import Final

from orthanc_fast.model import Level


def _tags(groups: dict[int, str]) -> tuple[int, ...]:
    """Ascending tags from groups and the hexadecimal elements in them."""
    return tuple(
        group << 16 | int(element, 16)
        for group, elements in groups.items()
        for element in elements.split()
    )


MODULES: Final = {
    Level.PATIENT: _tags(
        {
            0x0008: "1120",
            0x0010: "0010 0020 0021 0024 0030 0032 0040 1000 1001 1002 2160 2201 2202 2292 2293 "
            "2294 2297 2298 2299 4000",
            0x0012: "0062 0063 0064",
        }
    ),
    Level.STUDY: _tags(
        {
            0x0008: "0020 0030 0050 0051 0090 0096 1030 1032 1048 1049 1060 1062 1110",
            0x0020: "000d 0010",
            0x0032: "1034",
            0x0040: "1012",
        }
    ),
    Level.SERIES: _tags(
        {
            0x0008: "0021 0031 0060 103e 103f 1050 1052 1070 1072 1111 1250",
            0x0010: "2210",
            0x0018: "0015 1030 5100",
            0x0020: "000e 0011 0060",
            0x0028: "0108",
            0x0029: "0109",
            0x0040: "0244 0245 0253 0254 0260 0275 0280",
        }
    ),
    Level.INSTANCE: _tags(
        {
            0x0008: "0005 0012 0013 0014 0016 0018 001a 001b 0110 0201",
            0x0018: "a001",
            0x0020: "0013",
            0x0028: "0303",
            0x0040: "a390",
            0x0100: "0410 0420 0424 0426",
            0x0400: "0500 0561",
            0x4FFE: "0001",
        }
    ),
}
