"""What an anonymized data set says of how it was made.

Sources: DICOM PS3.15 section E.1.1, PS3.16 CID 7050 (codes); PS3.3 C.7.1.1 (patient module).
"""

from typing import Any, Final

from orthanc_fast.dicom.elements import Writer

METHOD_CODES: Final = 0x00120064
BURNED_IN_ANNOTATION: Final = 0x00280301

Code = tuple[str, str]  # of the coding scheme DCM: value and meaning

BASIC_PROFILE: Final[Code] = ("113100", "Basic Application Confidentiality Profile")
CLEAN_PIXEL_DATA: Final[Code] = ("113101", "Clean Pixel Data Option")


def code_json(code: Code) -> dict[str, Any]:
    """An item of a sequence of codes, as requests write them."""
    value, meaning = code
    return {"CodeValue": value, "CodingSchemeDesignator": "DCM", "CodeMeaning": meaning}


def code_item(write: Writer, code: Code) -> bytes:
    """The same, encoded."""
    value, meaning = code
    return b"".join(
        (
            write.text(0x00080100, "SH", value),
            write.text(0x00080102, "SH", "DCM"),
            write.text(0x00080104, "LO", meaning),
        )
    )
