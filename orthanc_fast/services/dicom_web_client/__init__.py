"""DICOMweb servers that this one asks, fetches from and sends to."""
