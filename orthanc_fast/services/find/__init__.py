"""Searching resources: queries, how they are matched, planned, ordered and answered.

Knows neither REST nor DIMSE: `/tools/find`, C-FIND and QIDO-RS share it.
"""
