"""The client side of DICOM: associations to modalities, sending, querying, retrieving."""
