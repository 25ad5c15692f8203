"""Transitional names of the contract; gone once nobody imports them."""

from orthanc_fast.index.contract import Snapshot as View

__all__ = ["View"]
