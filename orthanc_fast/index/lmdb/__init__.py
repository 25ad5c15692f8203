"""The index in LMDB: databases, transactions, group commit, journal."""
