"""DICOM files in another transfer syntax."""
