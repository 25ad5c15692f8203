"""Taking over the store of an Orthanc."""
