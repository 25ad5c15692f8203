"""DICOM TLS in both roles: every option. Reference chapter 4, section 7."""

import os
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.certificates import Authority
from support.dicom_door import Shelf, serving
from support.files import file_named
from support.find_scu import STUDY_ROOT, encoded

from orthanc_fast.config import Settings
from orthanc_fast.config_options import Values
from orthanc_fast.errors import OrthancError
from orthanc_fast.model import Caller
from orthanc_fast.network.find import Find
from orthanc_fast.services.exchange.dicom_tls import (
    TlsOptions,
    client_context,
    server_context,
    tls_options,
)
from orthanc_fast.services.processes.supervisor import GuardedStore
from orthanc_fast.upper_layer import dimse


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def make(authority: Authority) -> Callable[..., TlsOptions]:
    """Makes valid options, with changes."""
    certificate, key = authority.issue("server")

    def options(**changes: object) -> TlsOptions:
        fields: dict[str, object] = {
            "certificate": str(certificate),
            "private_key": str(key),
            "trusted": str(authority.certificate),
            "certificate_required": True,
            "minimum_version": 0,
            "ciphers": (),
        }
        return TlsOptions(**{**fields, **changes})  # type: ignore[arg-type]

    return options


@pytest.fixture(scope="module")
def client(authority: Authority) -> list[str]:
    """Arguments with which DCMTK shows a certificate of the authority."""
    certificate, key = authority.issue("client")
    return ["+tls", str(key), str(certificate), "+cf", str(authority.certificate)]


def echo(port: int, *arguments: str) -> bool:
    command = ["echoscu", "-to", "5", "-ta", "5", *arguments, "127.0.0.1", str(port)]
    return subprocess.run(command, capture_output=True, timeout=30).returncode == 0


def test_a_client_with_a_trusted_certificate(
    tmp_path: Path, make: Callable[..., TlsOptions], client: list[str]
) -> None:
    with serving(Shelf(tmp_path), server_context(make())) as running:
        assert echo(running.port, *client)
        path = str(file_named("CT_small.dcm"))
        command = ["storescu", "--repeat", "3", *client, "127.0.0.1", str(running.port), path]
        assert subprocess.run(command, capture_output=True).returncode == 0
        assert len(running.shelf.files) == 3


def test_large_data_sets_over_tls(
    tmp_path: Path, make: Callable[..., TlsOptions], client: list[str]
) -> None:
    path = file_named("OBXXXX1A.dcm")
    with serving(Shelf(tmp_path), server_context(make()), MaximumUploadMemoryMB=1) as running:
        command = ["storescu", *client, "127.0.0.1", str(running.port), str(path)]
        assert subprocess.run(command, capture_output=True).returncode == 0
        (stored,) = running.shelf.files
    assert stored[-100_000:] == path.read_bytes()[-100_000:]


class Answers:
    """Queries with pages of the same answer; the first ones come at once."""

    def __init__(self, pages: int) -> None:
        self._pages = pages

    def answers(
        self, caller: Caller, identifier: bytes, transfer_syntax: str
    ) -> Iterator[list[bytes]]:
        for number in range(self._pages):
            if number >= 20:
                time.sleep(0.01)
            yield [encoded([(0x0020000D, "UI", "1.2.3")], transfer_syntax)] * 100


def test_queries_over_tls(
    tmp_path: Path, make: Callable[..., TlsOptions], client: list[str]
) -> None:
    """2000 answers; and a C-CANCEL that is seen among them."""
    tool = shutil.which("findscu", path=os.defpath)
    assert tool is not None
    tls = server_context(make())
    command = [tool, "-v", "-S", "-k", "QueryRetrieveLevel=STUDY", *client]
    for pages, options, ended in ((20, [], "Success"), (10_000, ["--cancel", "5"], "Cancel")):
        find = Find(Answers(pages).answers, lambda seconds: None)
        operations = {STUDY_ROOT: {dimse.C_FIND_RQ: find}}
        with serving(
            Shelf(tmp_path), tls, operations=operations, DicomAlwaysAllowFind=True
        ) as running:
            done = subprocess.run(
                [*command, *options, "127.0.0.1", str(running.port)],
                capture_output=True,
                text=True,
                timeout=60,
            )
        output = done.stdout + done.stderr
        assert f"Received Final Find Response ({ended}" in output
        assert (output.count("(Pending)") == 2000) == (ended == "Success")


def test_clients_that_are_turned_away(
    tmp_path: Path, make: Callable[..., TlsOptions], client: list[str]
) -> None:
    stranger = Authority(tmp_path, "stranger")
    certificate, key = stranger.issue("client")
    before = threading.active_count()
    with serving(Shelf(tmp_path), server_context(make())) as running:
        assert not echo(running.port)  # no TLS
        assert not echo(running.port, "+tla", "-ic")  # no certificate
        assert not echo(running.port, "+tls", str(key), str(certificate), "-ic")
        assert echo(running.port, *client)
    assert threading.active_count() == before


def test_no_certificate_is_asked_for_where_none_is_required(
    tmp_path: Path, make: Callable[..., TlsOptions]
) -> None:
    options = make(certificate_required=False, trusted=None)
    with serving(Shelf(tmp_path), server_context(options)) as running:
        assert echo(running.port, "+tla", "-ic")


CIPHER = "ECDHE-RSA-AES256-GCM-SHA384"


def test_minimum_version_and_ciphers(
    tmp_path: Path, make: Callable[..., TlsOptions], client: list[str]
) -> None:
    options = make(minimum_version=5)
    with serving(Shelf(tmp_path), server_context(options)) as running:
        assert handshake(running.port, client, "-tls1_3")
        assert not handshake(running.port, client, "-tls1_2")
    options = make(minimum_version=4, ciphers=(CIPHER,))
    with serving(Shelf(tmp_path), server_context(options)) as running:
        assert handshake(running.port, client, "-tls1_2", "-cipher", CIPHER)
        assert not handshake(
            running.port, client, "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"
        )


def handshake(port: int, client: list[str], *arguments: str) -> bool:
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-verify_return_error"]
    command += ["-key", client[1], "-cert", client[2], "-CAfile", client[4], *arguments]
    done = subprocess.run(command, capture_output=True, input=b"", timeout=30)
    return b"Verify return code: 0 (ok)" in done.stdout and done.returncode == 0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"certificate": None}, 3),
        ({"private_key": None}, 3),
        ({"trusted": None}, 13),
        ({"trusted": "/does/not/exist"}, 13),
        ({"certificate": "/does/not/exist"}, 13),
        ({"minimum_version": 6}, 3),
        ({"ciphers": (CIPHER,)}, 15),
        ({"minimum_version": 4, "ciphers": ("NO-SUCH-CIPHER",)}, 15),
        ({"minimum_version": 4, "ciphers": (CIPHER, "TLS_NO_SUCH")}, 15),
    ],
)
def test_what_stops_the_start(
    make: Callable[..., TlsOptions], changes: dict[str, object], code: int
) -> None:
    with pytest.raises(OrthancError) as caught:
        server_context(make(**changes))
    assert caught.value.code == code


def test_a_key_that_does_not_fit(make: Callable[..., TlsOptions], authority: Authority) -> None:
    _, other = authority.issue("other")
    with pytest.raises(OrthancError) as caught:
        server_context(make(private_key=str(other)))
    assert caught.value.code == 15


@pytest.mark.parametrize(
    "option", ["DicomTlsCertificate", "DicomTlsPrivateKey", "DicomTlsTrustedCertificates"]
)
def test_a_file_that_is_not_there_stops_the_start(tmp_path: Path, option: str) -> None:
    """Also where the port does without TLS: what is asked of others needs it, as with Orthanc."""
    settings = Settings(
        storage_directory=tmp_path, index_directory=tmp_path, raw={option: "/does/not/exist"}
    )
    with pytest.raises(OrthancError) as caught:
        GuardedStore(settings)
    assert caught.value.code == 13


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"certificate": None}, 6),
        ({"private_key": None}, 6),
        ({"trusted": None}, 6),
        ({"trusted": "/does/not/exist"}, 13),
        ({"certificate": "/does/not/exist"}, 13),
    ],
)
def test_what_is_missing_to_ask_others(
    make: Callable[..., TlsOptions], changes: dict[str, object], code: int
) -> None:
    with pytest.raises(OrthancError) as caught:
        client_context(make(**changes))
    assert caught.value.code == code


def test_versions_and_ciphers_of_both_roles(make: Callable[..., TlsOptions]) -> None:
    """They count only where the SCP speaks TLS, and then as SCU too."""
    configured = {
        "DicomTlsCertificate": make().certificate,
        "DicomTlsPrivateKey": make().private_key,
        "DicomTlsTrustedCertificates": make().trusted,
        "DicomTlsMinimumProtocolVersion": 5,
    }
    plain = client_context(tls_options(Values(configured)))
    assert plain.minimum_version == ssl.TLSVersion.TLSv1_2
    enabled = client_context(tls_options(Values({**configured, "DicomTlsEnabled": True})))
    assert enabled.minimum_version == ssl.TLSVersion.TLSv1_3
    assert enabled.verify_mode == ssl.CERT_REQUIRED
    trusting = {**configured, "DicomTlsRemoteCertificateRequired": False}
    assert client_context(tls_options(Values(trusting))).verify_mode == ssl.CERT_NONE
