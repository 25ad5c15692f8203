"""JPEG baseline and extended: 8 and 12 bits, lossy, sequential or progressive."""

from orthanc_fast.imaging.codecs.jpeg_family import RGB_FROM, decode

__all__ = ["RGB_FROM", "decode"]
