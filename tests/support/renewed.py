"""The files of a small store anew."""

from support.small_store import SmallStore

from orthanc_fast.config import Settings
from orthanc_fast.services.administration.renewal import Renewal
from orthanc_fast.services.attachments.reading import Contents
from orthanc_fast.services.transcoding.arriving import ArrivingFiles


def renewal(store: SmallStore, settings: Settings) -> Renewal:
    """What stores them as these settings say."""
    recode = None
    if settings.ingest_transcoding:
        recode = ArrivingFiles(settings, store.dictionary, may_lose=False).transcoded
    return Renewal(
        settings,
        store.reads,
        store.writes,
        Contents(store.storage),
        store.main_tags,
        store.dictionary,
        lambda: "Latin1",
        recode,
    )
