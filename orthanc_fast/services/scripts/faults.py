"""What goes wrong with scripts, as errors that doors know how to answer."""

from orthanc_fast.errors import OrthancError


class ScriptFault(OrthancError):
    """The script itself has failed: an error in it, or an answer that cannot be one. The code is
    the script's own where it gave one; 2031 is Orthanc's for Lua."""

    code = 1


class NoAnswer(OrthancError):
    """The script process has died, hangs, or has not answered in time. A filter is then decided by
    `OnFailure` of the section Scripts."""

    code = 16

    def __init__(self, details: str) -> None:
        super().__init__(details, http_status=503)
