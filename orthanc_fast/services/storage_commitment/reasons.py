"""Why an instance is not kept. Source: PS3.3 section C.14.1.1; the texts are Orthanc's."""

from typing import Final

NO_SUCH_INSTANCE: Final = 0x0112
CLASS_INSTANCE_CONFLICT: Final = 0x0119

_TEXTS: Final = {
    0x0000: "Success",
    0x0110: "A general failure in processing the operation was encountered",
    0x0112: (
        "One or more of the elements in the Referenced SOP Instance Sequence was not available"
    ),
    0x0119: (
        "The SOP Class of an element in the Referenced SOP Instance Sequence did not correspond "
        "to the SOP class registered for this SOP Instance at the SCP"
    ),
    0x0122: (
        "Storage Commitment has been requested for a SOP Instance with a SOP Class that is not "
        "supported by the SCP"
    ),
    0x0131: "The Transaction UID of the Storage Commitment Request is already in use",
    0x0213: (
        "The SCP does not currently have enough resources to store the requested SOP Instance(s)"
    ),
}


def description(reason: int) -> str:
    """The reason in words."""
    return _TEXTS.get(reason, "Unknown failure reason")
