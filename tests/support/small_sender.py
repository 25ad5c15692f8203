"""A small store with the client side of C-STORE, without server and process."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from support import generated
from support.small_store import USER, SmallStore

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.model import Level
from orthanc_fast.services.exchange.instances import Instances
from orthanc_fast.services.exchange.modalities import Modality
from orthanc_fast.services.scu.associating import Associations
from orthanc_fast.services.scu.sending import Senders, Sending
from orthanc_fast.services.transcoding.transcode import transcode
from orthanc_fast.upper_layer.requestor import Target

SMALL = generated.small()


def ct(number: int, syntax: str | None = None) -> bytes:
    """A small slice, transcoded if a syntax is given."""
    data = SMALL.number(1, 1, 1, number)
    if syntax is None:
        return data
    return transcode(data, syntax, 90, Dictionary({}, False), keeps_identity=True).data


class SmallSender:
    """`given` are settings."""

    def __init__(self, folder: Path, **given: Any) -> None:
        self.store = SmallStore(folder, **given)
        settings = self.store.settings
        self.associations = Associations(settings)
        self.senders = Senders(
            settings, self.associations, self.store.storage, self.store.dictionary
        )

    def __enter__(self) -> "SmallSender":
        return self

    def __exit__(self, *error: object) -> None:
        self.store.close()

    def put(self, *files: bytes) -> Instances:
        """Stores them: what is sent, in their order."""
        publics = [self.store.put(file)[Level.INSTANCE] for file in files]
        return Instances(self.store.reads, USER, b"".join(publics))

    def target(self, port: int, timeout: int = 5) -> Target:
        return self.associations.target(modality(port), timeout=timeout)

    def open(
        self,
        port: int,
        instances: Iterable[Instances],
        may_transcode: bool = True,
        timeout: int = 5,
    ) -> Sending:
        presentations = [found for each in instances for found in each.presentations()]
        rules = self.senders.rules(may_transcode)
        return self.senders.open(self.target(port, timeout), presentations, rules)

    def send(self, port: int, instances: Instances, **given: Any) -> Sequence[int]:
        """All of them over one association: the statuses."""
        with self.open(port, [instances], **given) as sending:
            return [sending.send(each) for each in sending.looking_ahead(instances)]


def modality(port: int, **given: Any) -> Modality:
    return Modality(aet="SINK", host="127.0.0.1", port=port, **given)
