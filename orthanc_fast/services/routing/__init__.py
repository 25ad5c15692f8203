"""Stored instances that are sent on by rules, each destination from a durable queue."""
