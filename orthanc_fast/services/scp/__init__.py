"""What the DICOM server accepts."""
