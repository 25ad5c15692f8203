"""Worklists that modalities ask this server for."""
