"""Viewers: applications of other projects that this server hands to browsers."""
