"""The applications that the configuration names; the files of each are listed with the first
request for one, which blocks."""

from functools import cached_property

from orthanc_fast.config import Settings
from orthanc_fast.services.viewers.application import Application
from orthanc_fast.services.viewers.explorer_2 import Explorer2Files


class Applications:
    """Those of one server. Each attribute may be asked for only where it is configured."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def ohif(self) -> Application:
        assert self._settings.ohif is not None
        return Application(self._settings.ohif.folder, is_relative=False)

    @cached_property
    def volview(self) -> Application:
        assert self._settings.volview is not None
        return Application(self._settings.volview.folder)

    @cached_property
    def explorer_2(self) -> Explorer2Files:
        assert self._settings.explorer_2 is not None
        return Explorer2Files(self._settings.explorer_2)
