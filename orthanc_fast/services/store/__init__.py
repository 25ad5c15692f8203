"""Opening the store, and what its writes do to files."""
