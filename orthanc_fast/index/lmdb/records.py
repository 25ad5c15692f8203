"""What the index keeps, as MessagePack in LMDB values. Changing a struct that is kept changes the
schema."""

import msgspec

from orthanc_fast.model import Resource, Totals

SCHEMA_VERSION = 3

resource_decoder = msgspec.msgpack.Decoder(Resource)
totals_decoder = msgspec.msgpack.Decoder(Totals)
encoder = msgspec.msgpack.Encoder()
