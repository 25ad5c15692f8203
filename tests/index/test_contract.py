"""What the contract leaves to implementations cannot be called by mistake."""

import inspect
from unittest.mock import ANY

import pytest

from orthanc_fast.index.contract import Index, Search, Snapshot, Transaction


@pytest.mark.parametrize("contract", [Search, Snapshot, Transaction, Index])
def test_the_contract_itself_answers_nothing(contract: type) -> None:
    """`index.read(Snapshot.totals)` would give None in silence."""
    left = [
        member.fget if isinstance(member, property) else member
        for member in vars(contract).values()
        if is_left_open(contract, member)
    ]
    assert len(left) >= 8
    for function in left:
        assert function is not None
        given = [ANY for each in inspect.signature(function).parameters.values()]
        with pytest.raises(NotImplementedError):
            function(*given)


def is_left_open(contract: type, member: object) -> bool:
    if contract is Transaction:
        return inspect.isfunction(member) and not member.__name__.startswith("_")
    return bool(getattr(member, "__isabstractmethod__", False))
