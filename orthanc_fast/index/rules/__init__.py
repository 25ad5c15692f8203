"""What a write does to the index, once for every implementation."""
