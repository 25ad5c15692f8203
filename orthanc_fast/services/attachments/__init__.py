"""Attachments: reading and changing them."""
