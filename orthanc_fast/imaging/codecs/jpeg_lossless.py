"""JPEG lossless: 2 to 16 bits, all selection values."""

from orthanc_fast.imaging.codecs.jpeg_family import MAX_EXPANSION, RGB_FROM, decode, describe

__all__ = ["MAX_EXPANSION", "RGB_FROM", "decode", "describe"]
