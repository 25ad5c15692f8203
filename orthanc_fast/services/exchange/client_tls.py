"""TLS of the calls to other servers, by the options `HttpsVerifyPeers` and `HttpsCACertificates`.
Source: reference chapter 4, section 8.4.
"""

import ssl

import msgspec

from orthanc_fast.config import Settings


class UnusableCertificate(Exception):
    """A file of certificates or keys cannot be used; `is_ours` tells the client certificate from
    the authorities."""

    def __init__(self, path: object, reason: object, is_ours: bool) -> None:
        self.is_ours = is_ours
        super().__init__(f"{path}: {reason}")


class ClientCertificate(msgspec.Struct, frozen=True):
    """What this server shows of itself: PEM files. Without a `key` that is in the certificate's
    file."""

    file: str
    key: str = ""
    password: str = ""


def client_context(
    settings: Settings, certificate: ClientCertificate | None = None
) -> ssl.SSLContext:
    """How HTTPS checks the other side, and what it shows of ours. Reads files. Raises
    UnusableCertificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authorities = settings.https_ca_certificates
    if not settings.https_verify_peers:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif authorities is None:
        context.load_default_certs()
    else:
        try:
            context.load_verify_locations(authorities)
        except OSError as error:
            raise UnusableCertificate(authorities, error, is_ours=False) from error
    # As libcurl: what is listed is trusted, whether or not it is the root of its chain.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if certificate is not None:
        _show(context, certificate)
    return context


def _show(context: ssl.SSLContext, certificate: ClientCertificate) -> None:
    try:
        # An empty password rather than none: OpenSSL would ask for it at the terminal.
        context.load_cert_chain(certificate.file, certificate.key or None, certificate.password)
    except (OSError, ValueError) as error:
        raise UnusableCertificate(certificate.file, error, is_ours=True) from error
