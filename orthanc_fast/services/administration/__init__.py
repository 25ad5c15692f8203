"""Checks, reconstruction, metrics and settings of the running server."""
