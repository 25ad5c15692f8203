"""The one way into the store."""
