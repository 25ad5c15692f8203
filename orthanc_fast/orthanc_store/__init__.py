"""What an Orthanc keeps: its index, whichever database holds it, as plain structs."""
