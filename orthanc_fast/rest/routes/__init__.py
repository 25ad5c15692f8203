"""The routes, one module per family: each reads like the reference and adds itself to the
router."""

from orthanc_fast.config import Settings
from orthanc_fast.rest import dicom_web
from orthanc_fast.rest.router import Router
from orthanc_fast.rest.routes import (
    archive,
    attachments,
    changes,
    child_tags,
    control,
    creation,
    default_encoding,
    deprecated_finds,
    echo,
    explorer,
    exports,
    find,
    frames,
    instance_files,
    instances,
    jobs,
    labels,
    metadata,
    metrics,
    modalities,
    modification,
    ohif,
    openapi,
    own_worklists,
    peers,
    pictures,
    protection,
    queries,
    reconstruct,
    regrouping,
    resources,
    retrieve,
    scp,
    sending,
    storage_commitment,
    system,
    tools,
    volumes,
    worklists,
)

FAMILIES = (
    instances,
    resources,
    instance_files,
    child_tags,
    frames,
    pictures,
    metadata,
    attachments,
    labels,
    protection,
    changes,
    exports,
    modalities,
    sending,
    echo,
    peers,
    storage_commitment,
    queries,
    retrieve,
    worklists,
    own_worklists,
    deprecated_finds,
    scp,
    system,
    control,
    explorer,
    metrics,
    find,
    default_encoding,
    reconstruct,
    modification,
    regrouping,
    creation,
    tools,
    volumes,
    jobs,
    archive,
    dicom_web,
    ohif,
    openapi,
)


def build_router(settings: Settings) -> Router:
    """The router of a server with these settings."""
    router = Router()
    for family in FAMILIES:
        family.add_routes(router, settings)
    return router
