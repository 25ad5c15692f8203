"""DICOM TLS in both roles. Source: reference chapter 4, section 7."""

import ssl
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from orthanc_fast.errors import (
    BadFileFormat,
    BadSequenceOfCalls,
    OrthancError,
    ParameterOutOfRange,
)

_INEXISTENT_FILE = 13

# By DicomTlsMinimumProtocolVersion. 0 is the BCP 195 profile; 1 meant SSLv3, which no current TLS
# library speaks.
_MINIMUM = {
    0: ssl.TLSVersion.TLSv1_2,
    1: ssl.TLSVersion.TLSv1,
    2: ssl.TLSVersion.TLSv1,
    3: ssl.TLSVersion.TLSv1_1,
    4: ssl.TLSVersion.TLSv1_2,
    5: ssl.TLSVersion.TLSv1_3,
}


class TlsOptions(msgspec.Struct, frozen=True):
    """Paths are relative to the working directory, as Orthanc's are."""

    certificate: str | None
    private_key: str | None
    trusted: str | None
    certificate_required: bool
    minimum_version: int
    ciphers: tuple[str, ...]


def tls_options(get: Callable[[str], Any]) -> TlsOptions:
    """What the options of the configuration, which `get` looks up, say of both roles: versions and
    ciphers count only where the SCP speaks TLS."""
    is_enabled = get("DicomTlsEnabled")
    return TlsOptions(
        certificate=get("DicomTlsCertificate"),
        private_key=get("DicomTlsPrivateKey"),
        trusted=get("DicomTlsTrustedCertificates"),
        certificate_required=get("DicomTlsRemoteCertificateRequired"),
        minimum_version=get("DicomTlsMinimumProtocolVersion") if is_enabled else 0,
        ciphers=tuple(get("DicomTlsCiphersAccepted") or ()) if is_enabled else (),
    )


def check_files(options: TlsOptions) -> None:
    """Raises OrthancError (13) for a file that is named and not there: it stops the start, whether
    TLS is spoken or not."""
    for path in (options.certificate, options.private_key, options.trusted):
        if path:
            _existing(path)


def server_context(options: TlsOptions) -> ssl.SSLContext:
    """The context of the listener. Raises OrthancError (3, 13, 15) for what stops the start."""
    if not options.certificate or not options.private_key:
        raise ParameterOutOfRange("DICOM TLS needs DicomTlsCertificate and DicomTlsPrivateKey")
    if options.certificate_required and not options.trusted:
        raise OrthancError(
            "DicomTlsRemoteCertificateRequired needs DicomTlsTrustedCertificates",
            code=_INEXISTENT_FILE,
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _set_up(context, options, options.certificate, options.private_key)
    return context


def client_context(options: TlsOptions) -> ssl.SSLContext:
    """The context of one association that we ask for; it is made anew for each, so that renewed
    files count at once. The name in the peer's certificate is not looked at, as in Orthanc.

    Raises BadSequenceOfCalls (6), with Orthanc's words, where a file is not configured, and
    OrthancError (13, 15) for files that are not there or no good.
    """
    missing = None
    if not options.private_key:
        missing = "private key of the local certificate"
    elif not options.certificate:
        missing = "local certificate"
    elif options.certificate_required and not options.trusted:
        missing = "trusted remote certificates"
    if missing is not None:
        raise BadSequenceOfCalls(f"DICOM TLS - No path to the {missing} was provided")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _set_up(context, options, options.certificate or "", options.private_key or "")
    return context


def _set_up(context: ssl.SSLContext, options: TlsOptions, certificate: str, key: str) -> None:
    _set_versions(context, options)
    try:
        context.load_cert_chain(_existing(certificate), _existing(key))
    except ssl.SSLError as error:
        raise BadFileFormat(
            f"DicomTlsCertificate and DicomTlsPrivateKey cannot be used together: {error}"
        ) from error
    if not options.certificate_required or not options.trusted:
        return
    try:
        context.load_verify_locations(_existing(options.trusted))
    except ssl.SSLError as error:
        raise BadFileFormat(f"DicomTlsTrustedCertificates: {error}") from error
    context.verify_mode = ssl.CERT_REQUIRED


def _set_versions(context: ssl.SSLContext, options: TlsOptions) -> None:
    if options.minimum_version not in _MINIMUM:
        raise ParameterOutOfRange("DicomTlsMinimumProtocolVersion must be from 0 to 5")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the administrator's decision
        context.minimum_version = _MINIMUM[options.minimum_version]
    if not options.ciphers:
        return
    if options.minimum_version == 0:
        raise BadFileFormat(
            "DicomTlsCiphersAccepted needs a DicomTlsMinimumProtocolVersion other than 0"
        )
    # TLS 1.3 suites are always on in Python's ssl: its names are checked, not chosen.
    older = [name for name in options.ciphers if not name.startswith("TLS_")]
    unknown = [n for n in options.ciphers if n.startswith("TLS_") and n not in _TLS13]
    try:
        if unknown:
            raise ssl.SSLError(f"unknown cipher {unknown[0]}")
        if older:
            context.set_ciphers(":".join(older))
            names = {cipher["name"] for cipher in context.get_ciphers()}
            missing = [name for name in older if name not in names]
            if missing:
                raise ssl.SSLError(f"unknown cipher {missing[0]}")
        else:
            context.minimum_version = ssl.TLSVersion.TLSv1_3
    except ssl.SSLError as error:
        raise BadFileFormat(f"DicomTlsCiphersAccepted: {error}") from error


_TLS13 = frozenset(
    {
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_128_CCM_SHA256",
        "TLS_AES_128_CCM_8_SHA256",
    }
)


def _existing(path: str) -> str:
    if not Path(path).is_file():
        raise OrthancError("there is no such file", private=path, code=_INEXISTENT_FILE)
    return path
