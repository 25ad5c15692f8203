"""Certificates for tests, made on the spot by the openssl program."""

import subprocess
from pathlib import Path


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self.folder = folder
        self.certificate = folder / f"{name}.pem"
        self.key = folder / f"{name}.key"
        _openssl(
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", f"/CN={name}", "-keyout", str(self.key), "-out", str(self.certificate)),
        )

    def issue(self, name: str, extensions: str = "", days: int = 2) -> tuple[Path, Path]:
        """(certificate, private key) of a host; without extensions of X.509 version 1, and expired
        where the days are negative."""
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        request = self.folder / f"{name}.csr"
        _openssl(
            *("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}"),
            *("-keyout", str(key), "-out", str(request)),
        )
        more: list[str] = []
        if extensions:
            file = self.folder / f"{name}.extensions"
            file.write_text(extensions)
            more = ["-extfile", str(file)]
        _openssl(
            *("x509", "-req", "-in", str(request), "-days", str(days), "-CAcreateserial"),
            *("-CA", str(self.certificate), "-CAkey", str(self.key)),
            *("-out", str(certificate), *more),
        )
        return certificate, key


def self_signed(
    folder: Path, name: str, extensions: str = "", kind: str = "rsa:2048"
) -> tuple[Path, Path]:
    """(certificate, private key) of a host that nobody vouches for, an authority by default. `kind`
    of the key: `rsa:<bits>` or `ec:<curve>`."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    algorithm, _, curve = kind.partition(":")
    new = ["ec", "-pkeyopt", f"ec_paramgen_curve:{curve}"] if algorithm == "ec" else [kind]
    _openssl(
        *("req", "-x509", "-newkey", *new, "-nodes", "-days", "2", "-subj", f"/CN={name}"),
        *("-keyout", str(key), "-out", str(certificate)),
        *(("-addext", extensions) if extensions else ()),
    )
    return certificate, key


def encrypted(key: Path, password: str) -> Path:
    """A private key that needs a password."""
    found = key.with_suffix(".encrypted")
    _openssl("rsa", "-aes256", "-passout", f"pass:{password}", "-in", str(key), "-out", str(found))
    return found


def joined(target: Path, *parts: Path) -> Path:
    """One PEM file of several."""
    target.write_text("".join(part.read_text() for part in parts))
    return target


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
