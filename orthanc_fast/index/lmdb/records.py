"""What the index keeps, as MessagePack in LMDB values. Changing a struct that is kept changes the
schema."""

import msgspec

from orthanc_fast.model import Resource, Totals

SCHEMA_VERSION = 3

resource_decoder = msgspec.msgpack.Decoder(Resource)
totals_decoder = msgspec.msgpack.Decoder(Totals)
encoder = msgspec.msgpack.Encoder()


class _MetadataOnly(msgspec.Struct, array_like=True, gc=False):
    """The beginning of a `Resource`, up to its metadata; what is before them is only passed
    over."""

    level: msgspec.Raw
    public: msgspec.Raw
    id: msgspec.Raw
    parent: msgspec.Raw
    parent_public: msgspec.Raw
    tags: msgspec.Raw
    patient_tags: msgspec.Raw
    metadata: dict[int, str]


class _TagsOnly(msgspec.Struct, array_like=True, gc=False):
    """The beginning of a `Resource`, up to its main tags."""

    level: msgspec.Raw
    public: msgspec.Raw
    id: msgspec.Raw
    parent: msgspec.Raw
    parent_public: msgspec.Raw
    tags: dict[int, str]
    patient_tags: dict[int, str]


tags_decoder = msgspec.msgpack.Decoder(_TagsOnly)
metadata_decoder = msgspec.msgpack.Decoder(_MetadataOnly)
