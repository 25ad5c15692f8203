"""What the application records of requests of clients, not of those of scripts inside: less than a
microsecond each."""

from time import perf_counter

from orthanc_fast.rest.request import Request
from orthanc_fast.rest.router import METHODS, Router
from orthanc_fast.services.administration.figures import ACTIVE_REQUESTS, LATENCY
from orthanc_fast.services.administration.metrics import Histogram, Metrics

OTHER = "other"


class RequestMeters:
    """Latency by family of routes (their first component) and method, and requests in work."""

    def __init__(self, metrics: Metrics, router: Router) -> None:
        self._active = metrics.gauge(ACTIVE_REQUESTS)
        self._peak = metrics.peak("orthanc_rest_api_duration_ms")
        families = {route.path.split("/")[1] for route in router.routes} - {"", "{}", "{*}"}
        self._latency: dict[str, dict[str, Histogram]] = {}
        for method in METHODS:
            known = {route.path.split("/")[1] for route in router.routes if route.method == method}
            self._latency[method] = {
                family: metrics.histogram(f'{LATENCY}{{family="{family}",method="{method}"}}')
                for family in sorted(known & families)
            }
        self._other = metrics.histogram(f'{LATENCY}{{family="{OTHER}",method="{OTHER}"}}')

    def begin(self) -> float:
        """A request has come; returns the instant."""
        self._active.add(1.0)
        return perf_counter()

    def end(self, request: Request, began: float) -> None:
        """It has been answered, or its client has gone."""
        self._active.add(-1.0)
        if request.waited:
            return  # how long it took says nothing about the server
        now = perf_counter()
        seconds = now - began
        self._peak.observe(1000.0 * seconds, now)
        families = self._latency.get(request.method)
        found = families.get(request.segments[0]) if families and request.segments else None
        (found or self._other).observe(seconds)
