"""Frames, instances and series as arrays of numbers: planned from the index, read in threads."""
