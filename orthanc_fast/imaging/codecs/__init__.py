"""Codecs, one module each; see `contract`. Modules are imported when a frame first needs them."""

from functools import cache
from importlib import import_module

from orthanc_fast.errors import NotImplementedYet
from orthanc_fast.imaging.codecs.contract import Codec
from orthanc_fast.imaging.registry import coding_of
from orthanc_fast.transfer_syntaxes import TransferSyntax


def codec_of(syntax: TransferSyntax) -> Codec:
    """Raises NotImplementedYet for a syntax that is known but not decodable."""
    coding = coding_of(syntax)
    if coding.codec is None:
        raise NotImplementedYet(f"{syntax.name}: {coding.reason}")
    return _codec(coding.codec)


@cache
def _codec(name: str) -> Codec:
    codec: Codec = import_module(f"{__name__}.{name}")
    return codec
