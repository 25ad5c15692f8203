"""/routing, where `Routing` is configured; it is in `rest/routing.py`. This server's own."""

from orthanc_fast.config import Settings
from orthanc_fast.rest.router import Router


def add_routes(router: Router, settings: Settings) -> None:
    if settings.routing is not None:
        # Most servers route nothing, and load nothing of it.
        from orthanc_fast.rest import routing

        routing.add_routes(router, settings)
