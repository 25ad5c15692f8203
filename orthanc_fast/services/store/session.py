"""What REST changes for this run of the server only: properties of the index that every process
sees at once, and that the next start forgets."""

from orthanc_fast.index.contract import Index, Transaction

MODALITIES = "session: modalities"
ACCEPTED_SYNTAXES = "session: accepted transfer syntaxes"
UNKNOWN_CLASSES = "session: unknown SOP classes"
METRICS = "session: metrics"
DEFAULT_ENCODING = "session: default encoding"

_ALL = (MODALITIES, ACCEPTED_SYNTAXES, UNKNOWN_CLASSES, METRICS, DEFAULT_ENCODING)


def forget_session(index: Index) -> None:
    """Before the workers of a new run start."""
    with index.view() as view:
        left = [name for name in _ALL if view.property(name) is not None]

    def forget(transaction: Transaction) -> None:
        for name in left:
            transaction.set_property(name, None)

    if left:
        index.write(forget)
