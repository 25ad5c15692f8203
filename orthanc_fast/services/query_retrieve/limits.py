"""Queries with more answers than the configuration admits."""


class LimitReached(Exception):
    """Behind the answers that were given there would be others; the peer is told so."""
