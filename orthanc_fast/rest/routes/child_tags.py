"""The tags of the instances below a resource: /instances-tags, /shared-tags, /module. Source:
reference chapter 1, section 4.5; chapter 2, sections 1.2, 1.10 and 1.11."""

import asyncio

from orthanc_fast.config import Settings
from orthanc_fast.dicom.modules import MODULES
from orthanc_fast.model import Level
from orthanc_fast.rest.path_identifiers import public_id
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import JSON, Response
from orthanc_fast.rest.router import Handler, Router
from orthanc_fast.rest.streaming import begun
from orthanc_fast.rest.tag_arguments import tag_format, unlimited_tags
from orthanc_fast.rights import Right
from orthanc_fast.services.browse.describe import PLURALS

# More instances than this are answered in parts while their files are read.
AT_ONCE = 200


def add_routes(router: Router, settings: Settings) -> None:
    for level, plural in PLURALS.items():
        if level == Level.PATIENT and not settings.patient_level_enabled:
            continue
        path = f"/{plural}/{{}}"
        form = "simplify short full"
        router.add(
            "GET",
            f"{path}/module",
            _module(level, level),
            arguments=f"{form} ignore-length",
            needs=Right.BROWSE,
            limited=True,
        )
        if level == Level.STUDY:
            handler = _module(level, Level.PATIENT)
            router.add(
                "GET",
                f"{path}/module-patient",
                handler,
                arguments=f"{form} ignore-length",
                needs=Right.BROWSE,
                limited=True,
            )
        if level == Level.INSTANCE:
            continue
        router.add(
            "GET",
            f"{path}/shared-tags",
            _shared(level),
            arguments=form,
            needs=Right.BROWSE,
            limited=True,
        )
        router.add(
            "GET",
            f"{path}/instances-tags",
            _all(level),
            arguments=f"{form} ignore-length",
            needs=Right.BROWSE,
            limited=True,
        )


async def _instances(request: Request, level: Level) -> list[bytes]:
    """The identifiers of the instances below the resource, in ascending order."""
    services = request.services
    return await services.reads.run(
        services.resources.descendants, request.caller, level, public_id(request), Level.INSTANCE
    )


def _all(level: Level) -> Handler:
    async def get_instances_tags(request: Request) -> Response:
        """The tags of each instance below the resource, under its identifier."""
        instances = await _instances(request, level)
        form, unlimited = tag_format(request), unlimited_tags(request)
        parts = request.services.instance_tags.of_all(request.caller, instances, form, unlimited)
        if len(instances) > AT_ONCE:
            return Response(kind=JSON, stream=await begun(parts))
        return Response(await asyncio.to_thread(b"".join, parts), JSON)

    return get_instances_tags


def _shared(level: Level) -> Handler:
    async def get_shared_tags(request: Request) -> Response:
        """The tags whose text is the same in all instances below the resource."""
        instances = await _instances(request, level)
        work, form = request.services.instance_tags.shared, tag_format(request)
        return Response(await asyncio.to_thread(work, request.caller, instances, form), JSON)

    return get_shared_tags


def _module(level: Level, module: Level) -> Handler:
    tags = MODULES[module]

    async def get_module(request: Request) -> Response:
        """The tags of a DICOM module, as one instance has them."""
        unlimited, form = unlimited_tags(request), tag_format(request)
        body = await asyncio.to_thread(
            request.services.instance_tags.module,
            request.caller,
            level,
            public_id(request),
            tags,
            form,
            unlimited,
        )
        return Response(body, JSON)

    return get_module
