"""One server of DICOMweb: it is described as a peer is, and has properties of its own. Source:
reference chapter 5, section 11.1."""

from typing import Final

from orthanc_fast.errors import BadFileFormat
from orthanc_fast.services.peers.peer import Peer

Server = Peer

_FLAGS: Final = {"0": False, "false": False, "1": True, "true": True}


def has_delete(server: Server) -> bool:
    """Whether the server deletes. Raises as `_flag`."""
    return _flag(server, "HasDelete", False)


def takes_chunks(server: Server) -> bool:
    """Whether the server takes requests whose size is not told ahead. Raises as `_flag`."""
    return _flag(server, "ChunkedTransfers", True)


def sends_any_syntax(server: Server) -> bool:
    """Whether the server knows what `transfer-syntax=*` asks for. Raises as `_flag`."""
    return _flag(server, "HasWadoRsUniversalTransferSyntax", True)


def _flag(server: Server, name: str, default: bool) -> bool:
    """Raises BadFileFormat for what is neither true nor false."""
    text = server.properties.get(name)
    if text is None:
        return default
    found = _FLAGS.get(text.strip().lower())
    if found is None:
        raise BadFileFormat(
            "Bad value for a Boolean user property in the parameters of a Web service: Property "
            f'"{name}" equals: {text}'
        )
    return found
