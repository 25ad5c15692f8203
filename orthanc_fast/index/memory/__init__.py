"""The index in the memory of one process: for tests, not an option of the server."""
