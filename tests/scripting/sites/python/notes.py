"""What the parts of the site tell."""

import threading

ALL = []
_lock = threading.Lock()


def note(kind, *told):
    with _lock:
        ALL.append([kind, *told])
