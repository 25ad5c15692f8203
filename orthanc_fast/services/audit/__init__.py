"""Who read, changed, sent or deleted what: docs/operations.md."""
