"""JPEG baseline and extended: 8 and 12 bits, lossy, sequential or progressive."""

from orthanc_fast.imaging.codecs.jpeg_family import MAX_EXPANSION, RGB_FROM, decode, describe

__all__ = ["MAX_EXPANSION", "RGB_FROM", "decode", "describe"]
