"""Studies that leave as ZIP archives or as media with a DICOMDIR."""
