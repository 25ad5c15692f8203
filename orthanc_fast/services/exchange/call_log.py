"""`HttpVerbose`: what is said to other servers, and what they answer, in the log. Source: reference
chapter 4, section 0.

What lets somebody in is not written: neither headers, which hold passwords and tokens, nor user and
password of an address.
"""

from types import SimpleNamespace

import aiohttp
from yarl import URL

from orthanc_fast.log import Category, logger


def tracing() -> aiohttp.TraceConfig:
    """For a session: a line for each request, answer and fault."""
    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(_began)
    trace.on_request_redirect.append(_redirected)
    trace.on_request_end.append(_answered)
    trace.on_request_exception.append(_failed)
    return trace


async def _began(
    session: aiohttp.ClientSession,
    context: SimpleNamespace,
    given: aiohttp.TraceRequestStartParams,
) -> None:
    logger.info(Category.HTTP, f"HTTP client: {given.method} {_shown(given.url)}")


async def _redirected(
    session: aiohttp.ClientSession,
    context: SimpleNamespace,
    given: aiohttp.TraceRequestRedirectParams,
) -> None:
    target = given.response.headers.get("Location", "")
    text = f"{given.response.status}, redirected to {_shown(URL(target))}"
    logger.info(Category.HTTP, f"HTTP client: {given.method} {_shown(given.url)}: {text}")


async def _answered(
    session: aiohttp.ClientSession,
    context: SimpleNamespace,
    given: aiohttp.TraceRequestEndParams,
) -> None:
    status = f"{given.response.status} {given.response.reason}"
    logger.info(Category.HTTP, f"HTTP client: {given.method} {_shown(given.url)}: {status}")


async def _failed(
    session: aiohttp.ClientSession,
    context: SimpleNamespace,
    given: aiohttp.TraceRequestExceptionParams,
) -> None:
    fault = str(given.exception) or type(given.exception).__name__
    logger.info(Category.HTTP, f"HTTP client: {given.method} {_shown(given.url)}: {fault}")


def _shown(url: URL) -> str:
    return str(url.with_user(None).with_query(None)) if url.absolute else url.path
