"""Bytes that were changed somewhere, the same ones at each run."""

import random


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Some bytes changed, cut out, doubled or replaced by lengths that lie; most in the header."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(min(len(changed), 4096) if chance.random() < 0.8 else len(changed))
        match chance.randrange(5):
            case 0:
                changed[at] = chance.randrange(256)
            case 1:
                changed[at : at + 4] = chance.choice((b"\xff" * 4, b"\xfe" + b"\xff" * 3, bytes(4)))
            case 2:
                del changed[at : at + chance.randint(1, 64)]
            case 3:
                changed[at:at] = changed[at : at + chance.randint(1, 64)]
            case _:
                del changed[at:]
        if not changed:
            changed = bytearray(b"\0")
    return bytes(changed)
