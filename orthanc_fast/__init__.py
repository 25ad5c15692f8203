"""orthanc_fast: a DICOM server that replaces Orthanc."""

__version__ = "0.1.0"
