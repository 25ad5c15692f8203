"""JPEG lossless: 2 to 16 bits, all selection values."""

from orthanc_fast.imaging.codecs.jpeg_family import RGB_FROM, decode

__all__ = ["RGB_FROM", "decode"]
