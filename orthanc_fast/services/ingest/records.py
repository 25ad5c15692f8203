"""What the index gets of a file that is stored: records, tags and the metadata of reception.

Source: reference chapter 1, sections 5.2 and 6.1.
"""

import time

import msgspec

from orthanc_fast.config import Overwrite
from orthanc_fast.model import Caller, Header, Level, NewInstance, timestamp
from orthanc_fast.registries import (
    CALLED_AET,
    HTTP_USERNAME,
    INDEX_IN_SERIES,
    MAIN_DICOM_SEQUENCES,
    ORIGIN,
    PIXEL_DATA_OFFSET,
    PIXEL_DATA_VR,
    RECEPTION_DATE,
    REMOTE_AET,
    REMOTE_IP,
    SOP_CLASS_UID,
    TRANSFER_SYNTAX,
)
from orthanc_fast.registries import EXPECTED_NUMBER_OF_INSTANCES as EXPECTED_IN_SERIES
from orthanc_fast.services.ingest.expected_instances import expected_instances
from orthanc_fast.services.store.frame_maps import packed_layout

_encode_json = msgspec.json.Encoder().encode


def new_instance(
    header: Header,
    publics: tuple[bytes, bytes, bytes, bytes],
    signatures: tuple[str, str, str, str],
    caller: Caller,
    overwrite: Overwrite,
    received: int | None = None,
) -> NewInstance:
    """The instance without its attachments, received in this second since the epoch; None: now."""
    now = int(time.time()) if received is None else received
    expected = expected_instances(header.main_tags[Level.SERIES])
    series: dict[int, str] = {REMOTE_AET: caller.aet}
    if expected is not None:
        series[EXPECTED_IN_SERIES] = str(expected)
    metadata: tuple[dict[int, str], ...] = ({}, {}, series, _of_reception(header, caller, now))
    for level, sequences in enumerate(header.main_sequences):
        if sequences:
            metadata[level][MAIN_DICOM_SEQUENCES] = sequences_metadata(sequences)
    return NewInstance(
        publics=publics,
        tags=header.main_tags,
        metadata=(metadata[0], metadata[1], metadata[2], metadata[3]),
        signatures=signatures,
        attachments={},
        image=packed_layout(header.pixels),
        received=now,
        overwrite=overwrite,
        series_index=header.index_in_series,
        expected_in_series=expected,
    )


def _of_reception(header: Header, caller: Caller, now: int) -> dict[int, str]:
    found: dict[int, str] = {}
    if header.index_in_series is not None:
        found[INDEX_IN_SERIES] = header.index_in_series
    found[RECEPTION_DATE] = timestamp(now)
    found[REMOTE_AET] = caller.aet
    found[ORIGIN] = caller.origin
    if header.transfer_syntax is not None:
        found[TRANSFER_SYNTAX] = header.transfer_syntax
    if header.sop_class is not None:
        found[SOP_CLASS_UID] = header.sop_class
    if caller.address is not None:
        found[REMOTE_IP] = caller.address
    if caller.called_aet is not None:
        found[CALLED_AET] = caller.called_aet
    if caller.user is not None:
        found[HTTP_USERNAME] = caller.user
    if header.pixel_data_offset is not None:
        found[PIXEL_DATA_OFFSET] = str(header.pixel_data_offset)
    if header.pixel_data_vr is not None:
        found[PIXEL_DATA_VR] = header.pixel_data_vr
    return found


def sequences_metadata(sequences: dict[int, bytes]) -> str:
    """MainDicomSequences: reference chapter 1, section 5.2."""
    members = {
        f"{tag >> 16:04x},{tag & 0xFFFF:04x}": msgspec.Raw(value)
        for tag, value in sorted(sequences.items())
    }
    return _encode_json({"Sequences": members, "Version": 1}).decode()
