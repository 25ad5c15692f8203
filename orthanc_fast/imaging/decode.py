"""One encoded frame -> its pixels as everything above wants them."""

import numpy as np

from orthanc_fast.imaging.codecs import codec_of
from orthanc_fast.imaging.codecs.contract import Buffer
from orthanc_fast.imaging.color import rgb_from_ybr
from orthanc_fast.imaging.info import YBR, ImageInfo
from orthanc_fast.imaging.palette import Palette


def decode_frame(
    frame: Buffer,
    info: ImageInfo,
    palette: Palette | None = None,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """The pixels of one frame: `info.frame_shape`, `info.dtype`, in native byte order. Grey values
    are stored values (1-bit: 0 and 255); all colour is RGB. `palette` is needed if
    `info.is_palette`.

    `out`, of that shape and type and contiguous, is filled and given back; without it the result
    may be a read-only view of `frame`. Raises NotImplementedYet for what cannot be decoded,
    BadFileFormat for what is damaged.
    """
    info.require_decodable()
    codec = codec_of(info.syntax)
    if info.is_palette:
        assert palette is not None
        return palette.apply(codec.decode(frame, info), out)
    photometric = info.photometric_interpretation
    if info.samples_per_pixel == 3 and photometric in YBR and photometric not in codec.RGB_FROM:
        return rgb_from_ybr(codec.decode(frame, info), photometric, info.bits_stored, out)
    return codec.decode(frame, info, out)
