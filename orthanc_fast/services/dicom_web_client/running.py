"""What jobs of both directions have in common: how they fail, and how they tell sizes."""

from typing import Final

from orthanc_fast.error_codes import BY_CODE
from orthanc_fast.errors import OrthancError
from orthanc_fast.services.exchange.transfer import Transfer

_MB: Final = 1 << 20

# What Orthanc's jobs of DICOMweb fail with, whatever it was: their content has the reason.
_PLUGIN: Final = 1


class WebTransfer(Transfer):
    """One run of one job."""

    def complete(self) -> None:
        """As of every transfer; tells the reason of an error."""
        try:
            super().complete()
        except OrthancError as error:
            self.run.tell(
                FunctionErrorCode=error.code,
                FunctionErrorDescription=BY_CODE[error.code].text,
                FunctionErrorDetails=error.details or "",
            )
            raise OrthancError(error.details, private=error, code=_PLUGIN) from error


def megabytes(size: int) -> str:
    """As contents of jobs have them."""
    return str(size // _MB)
