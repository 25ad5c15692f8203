"""A real browser without a window."""

import subprocess
from pathlib import Path

COMMAND = (
    "chromium",
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-features=BackForwardCache",
    "--virtual-time-budget=20000",
    "--dump-dom",
)


def dump_dom(url: str, profile: Path) -> str:
    """The page as the browser has made it, as markup."""
    done = subprocess.run(
        [*COMMAND, f"--user-data-dir={profile}", url], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
