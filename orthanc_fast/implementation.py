"""How this implementation names itself: to peers in associations (PS3.7 annex D.3.3.2) and in the
files that it writes (PS3.10 section 7.1)."""

from typing import Final

CLASS_UID: Final = "2.25.224180541862937417384297731270894203391"
VERSION_NAME: Final = "ORTHANC_FAST_01"

ORTHANC_VERSION: Final = "1.13.0"  # whose behaviour this server has
