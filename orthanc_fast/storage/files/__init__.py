"""The storage area as plain files, laid out as Orthanc lays them out."""
