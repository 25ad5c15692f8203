"""What another script imports; the test writes `FILE` beside it."""

import os

ANSWER = 42
FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "instance.dcm")
