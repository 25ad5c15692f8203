"""Commands that are not bulk data: handed to pynetdicom's service classes and handlers.

pynetdicom is loaded when the first such command comes. It gets the association as it is, with our
channel behind its DIMSE provider; its two threads and its polling are never started.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from orthanc_fast.upper_layer.operation_messages import Handler, Messages

if TYPE_CHECKING:
    from orthanc_fast.upper_layer.pynetdicom_side import Peer

Handlers = Mapping[str, Mapping[int, Handler]]
"""SOP class -> field of a request -> who answers it."""


class Handover:
    """The pynetdicom side of one association."""

    def __init__(self, messages: Messages) -> None:
        self.messages = messages
        self._peer: Peer | None = None

    def serve(self, handler: Handler) -> None:
        """Answers the request whose command the reader has just announced. Raises PduError,
        UserAbort or OSError."""
        reader = self.messages.association.reader
        command, context, encoded = reader.command_field, reader.context_id, reader.command_set
        data_set = self.messages.read_data_set()
        if self._peer is None:
            from orthanc_fast.upper_layer.pynetdicom_side import Peer

            self._peer = Peer(self.messages)
        self._peer.serve(command, handler, context, encoded, data_set)
