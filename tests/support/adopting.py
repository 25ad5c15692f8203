"""Taking over a store, and leaving it, by the commands of the command line."""

import json
import shutil
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from support.orthanc_store import CONFIGURATION
from support.server import OurServer

from orthanc_fast.cli import main


def adopt(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["adopt", str(config), "--json", *arguments])


def leave(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["leave", str(config), "--json", *arguments])


def configured(folder: Path, store: Path, **options: Any) -> OurServer:
    """Our server, which has not been started, on a store."""
    own = {"StorageDirectory": str(store), **CONFIGURATION, **options}
    server = OurServer(folder, own)
    server.config_path.write_text(json.dumps(server.configuration))
    return server


def copied(store: Path, to: Path) -> Path:
    """A copy of a store, to be changed."""
    return Path(shutil.copytree(store, to))


def refused(config: Path, *arguments: str) -> str:
    """Why a store was not taken over."""
    done = adopt(config, *arguments)
    assert done.exit_code == 3, done.output
    answer = json.loads(done.stdout)
    assert answer["adopted"] is False
    return str(answer["refused"])
