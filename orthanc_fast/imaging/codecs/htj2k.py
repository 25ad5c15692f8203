"""High-throughput JPEG 2000. Source: DICOM PS3.5 8.2.17.

Decoded by OpenJPEG like all JPEG 2000. OpenJPH is faster, but in its wheel it runs into an endless
loop on a few damaged codestreams and gives pixels without an error for others.
"""

from orthanc_fast.imaging.codecs.jpeg_2000 import MAX_EXPANSION, RGB_FROM, decode, describe

__all__ = ["MAX_EXPANSION", "RGB_FROM", "decode", "describe"]
