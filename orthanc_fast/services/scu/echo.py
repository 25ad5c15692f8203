"""C-ECHO to a modality. Source: reference chapter 4, section 5.4."""

import threading
from itertools import islice
from uuid import uuid4

from orthanc_fast.config import Settings
from orthanc_fast.config_options import Values
from orthanc_fast.dicom.elements import Writer
from orthanc_fast.errors import NetworkProtocol
from orthanc_fast.services.exchange.modalities import Modality
from orthanc_fast.services.scp.sop_classes import STUDY_ROOT_FIND, VERIFICATION
from orthanc_fast.services.scu.associating import Associations, plain
from orthanc_fast.services.scu.find import AT_ONCE, EVERY_CLASS, FindAssociation
from orthanc_fast.transfer_syntaxes import EXPLICIT_BIG, IMPLICIT_LITTLE
from orthanc_fast.upper_layer.association import Association
from orthanc_fast.upper_layer.channel import Watch
from orthanc_fast.upper_layer.requestor import Target
from orthanc_fast.upper_layer.requests import Requests

_SUCCESS = 0x0000
_MOST_ANSWERS = 1000  # to a query for a study that nobody has


class Echo:
    """Asks modalities whether they answer."""

    def __init__(self, settings: Settings, associations: Associations) -> None:
        self._associations = associations
        self._checks_find = bool(Values(settings.raw)("DicomEchoChecksFind"))

    def __call__(
        self,
        modality: Modality,
        check_find: bool | None,
        timeout: int | None,
        stop: threading.Event,
    ) -> bool:
        """Whether the modality answers with success; with `check_find`, which for
        None is `DicomEchoChecksFind`, it is asked for a study too, and what that fails with is
        raised. Blocks until `stop` at most.

        It is called with `DicomAet`, whatever its `LocalAet`. `timeout` as that of
        `Associations.target`. Raises what `Associations.open` and `target` raise.
        """
        checks_find = self._checks_find if check_find is None else check_find
        associations = self._associations
        target = associations.target(modality, local_aet=associations.aet, timeout=timeout)
        classes = [VERIFICATION]
        if checks_find:
            classes += EVERY_CLASS
        watch = associations.until(stop)
        with associations.open(target, plain(*classes), watch=watch) as association:
            if Requests(association, target.timeout).echo() != _SUCCESS:
                return False
            if checks_find:
                _find(association, target, stop)
        return True


def answers(associations: Associations, target: Target, watch: Watch) -> bool:
    """Whether the target answers a C-ECHO with success. Raises what `Associations.open` raises, and
    what `watch` does."""
    with associations.open(target, plain(VERIFICATION), watch=watch) as association:
        return Requests(association, target.timeout).echo() == _SUCCESS


def _find(association: Association, target: Target, stop: threading.Event) -> None:
    """Asks for a study that nobody has. Raises NetworkProtocol, as queries do, unless that
    succeeds, whatever is found."""
    study = f"2.25.{uuid4().int}"

    def identifier(syntax: str) -> bytes:
        write = Writer(explicit=syntax != IMPLICIT_LITTLE, big=syntax == EXPLICIT_BIG)
        return write.text(0x00080052, "CS", "STUDY") + write.text(0x0020000D, "UI", study)

    find = FindAssociation(association, target, stop, AT_ONCE)
    answers = islice(find.answers(STUDY_ROOT_FIND, identifier), _MOST_ANSWERS)
    if sum(1 for _ in answers) == _MOST_ANSWERS:
        raise NetworkProtocol(f"More than {_MOST_ANSWERS} answers to a query for one study")
