"""The client side: for users of the server, not used by it. `from orthanc_fast.client import
Server`, or `AsyncServer`: docs/client.md."""

from orthanc_fast.client.async_server import AsyncServer
from orthanc_fast.client.errors import ServerError
from orthanc_fast.client.modifying import Edits
from orthanc_fast.client.server import Server
from orthanc_fast.client.upload import Summary

__all__ = ["AsyncServer", "Edits", "Server", "ServerError", "Summary"]
