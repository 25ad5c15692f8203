"""Frames and pictures of single instances."""
