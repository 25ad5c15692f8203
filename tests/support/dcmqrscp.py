"""DCMTK's archive as a process."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from support.ports import free_port, wait_for_port

AET = "DCMQRSCP"

_CONFIGURATION = """
MaxPDUSize = 16384
MaxAssociations = 16
HostTable BEGIN
{hosts}
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
{aet} {folder} RW (1000, 1024mb) ANY
AETable END
"""


class Archive(NamedTuple):
    port: int
    folder: Path  # of its files

    @property
    def modality(self) -> list[object]:
        """As `DicomModalities` has it."""
        return [AET, "127.0.0.1", self.port]

    def add(self, *files: Path) -> None:
        """Files that are its own from now on, as they are."""
        subprocess.run(["dcmqridx", str(self.folder), *map(str, files)], check=True)


@contextlib.contextmanager
def dcmqrscp(
    folder: Path, destinations: Mapping[str, int], options: Sequence[str] = ()
) -> Iterator[Archive]:
    """One that knows these titles at these ports of this machine. What is to be moved or sent has
    to be asked for in a way that its checks let pass."""
    storage = folder / "archive"
    storage.mkdir(parents=True)
    hosts = "\n".join(
        f"here{number} = ({aet}, 127.0.0.1, {port})"
        for number, (aet, port) in enumerate(destinations.items())
    )
    configuration = folder / "dcmqrscp.cfg"
    text = _CONFIGURATION.format(hosts=hosts, aet=AET, folder=storage)
    configuration.write_text(text)
    port = free_port()
    command = ["dcmqrscp", "-dhl", "--check-move", *options]
    with (folder / "dcmqrscp.log").open("w") as log:
        server = subprocess.Popen(
            [*command, "-c", str(configuration), str(port)],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_for_port(port)
        yield Archive(port, storage)
    finally:
        os.killpg(server.pid, signal.SIGKILL)  # a process for each association
        server.wait()
