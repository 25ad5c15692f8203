"""The client side: for users of the server, not used by it. `from orthanc_fast.client import
Server`."""

from orthanc_fast.client.server import Server, ServerError
from orthanc_fast.client.upload import Summary

__all__ = ["Server", "ServerError", "Summary"]
