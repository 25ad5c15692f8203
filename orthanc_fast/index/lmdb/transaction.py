"""Transitional names of the contract; gone once nobody imports them."""

from orthanc_fast.index.contract import MakeRoom, Transaction

__all__ = ["MakeRoom", "Transaction"]
