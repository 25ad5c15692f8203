"""What goes wrong with an HTTP call, in the words of libcurl, which Orthanc passes on to its
clients. Source: reference chapter 4, section 8.3; the texts are those of curl_easy_strerror.
"""

import errno
import ssl

import aiohttp

from orthanc_fast.errors import OrthancError
from orthanc_fast.services.exchange.addresses import without_user
from orthanc_fast.services.exchange.client_tls import UnusableCertificate

NETWORK_PROTOCOL = 9


class TooManyRedirections(Exception):
    """A server sends from one address to the next."""


# What a call may fail with that is no fault of this program; ValueError: what is no address.
FAULTS = (aiohttp.ClientError, UnusableCertificate, TooManyRedirections, OSError, ValueError)


def call_failed(url: str, error: BaseException) -> OrthancError:
    """The error of a call to `url` that had no answer, without its user and password; the log has
    the reason in full."""
    reason = str(error) or type(error).__name__
    details = f"libCURL error: {_text(error)} while accessing {without_user(url)}"
    return OrthancError(details, private=reason, code=NETWORK_PROTOCOL)


def _text(error: BaseException) -> str:
    if isinstance(error, UnusableCertificate):
        if error.is_ours:
            return "Problem with the local SSL certificate"
        return "Problem with the SSL CA cert (path? access rights?)"
    for kinds, text in _TEXTS:
        if isinstance(error, kinds):
            return text
    if isinstance(error, OSError) and error.errno == errno.EPIPE:
        return "Failed sending data to the peer"
    return "Failure when receiving data from the peer"


# The first that fits counts.
_TEXTS: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (TimeoutError, "Timeout was reached"),
    (TooManyRedirections, "Number of redirects hit maximum amount"),
    (aiohttp.ClientConnectorCertificateError, "SSL peer certificate or SSH remote key was not OK"),
    (aiohttp.ClientSSLError, "SSL connect error"),
    (aiohttp.ClientConnectorDNSError, "Couldn't resolve host name"),
    (aiohttp.ClientConnectorError, "Couldn't connect to server"),
    (aiohttp.ClientHttpProxyError, "Failure when receiving data from the peer"),
    (aiohttp.ServerDisconnectedError, "Server returned nothing (no headers, no data)"),
    (aiohttp.ClientPayloadError, "Transferred a partial file"),
    (aiohttp.NonHttpUrlClientError, "Unsupported protocol"),
    (aiohttp.ClientResponseError, "Unsupported protocol"),  # no HTTP: libcurl's word for it
    (ssl.SSLError, "Failure when receiving data from the peer"),
    (ValueError, "URL using bad/illegal format or missing URL"),
)
