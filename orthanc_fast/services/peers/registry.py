"""The peers as they are now. Source: reference chapter 4, section 8.2."""

from typing import Any

from orthanc_fast.errors import InexistentItem, OrthancError, UnknownResource
from orthanc_fast.services.exchange.server_registry import ServerRegistry
from orthanc_fast.services.peers.peer import Peer, parse_peer


class PeerRegistry(ServerRegistry[Peer]):
    """The peers by their symbolic names."""

    noun = "peer"
    change_kind = "UpdatedPeers"
    plural = "peers"
    option = "OrthancPeers"
    table = dict[str, Peer]

    def parsed(self, name: str, value: Any) -> Peer:
        return parse_peer(name, value)

    def unknown(self, name: str) -> OrthancError:
        return UnknownResource(f"No peer with symbolic name: {name}")

    def not_removed(self, name: str) -> OrthancError:
        return InexistentItem(f"Unknown Orthanc peer: {name}")
