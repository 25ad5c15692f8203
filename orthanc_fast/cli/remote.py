"""What the commands that speak to a server share: how they are told which, what they print, how
they end."""

import functools
import sys
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ParamSpec

import click
import msgspec

from orthanc_fast.cli.common import FOUND
from orthanc_fast.client.address import DEFAULT
from orthanc_fast.client.answers import LEVELS, Level
from orthanc_fast.client.errors import ServerError
from orthanc_fast.client.server import Server

P = ParamSpec("P")

CANNOT_REACH = 4

LEVEL = click.Choice([level.lower() for level in LEVELS], case_sensitive=False)

SERVER = click.option(
    "--server",
    metavar="URL",
    default=DEFAULT,
    show_default=True,
    envvar="ORTHANC_FAST_SERVER",
    show_envvar=True,
    help="Its address.",
)
USER = click.option(
    "--user",
    metavar="NAME[:PASSWORD]",
    envvar="ORTHANC_FAST_USER",
    show_envvar=True,
    help="Who asks. Without it: name and password in the address, or in ~/.netrc.",
)
PASSWORD = click.option(
    "--password",
    envvar="ORTHANC_FAST_PASSWORD",
    show_envvar=True,
    help="The password, if --user has none. An option is seen by all users of the machine: the "
    "variable is not.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def server_options(command: Callable[P, Any]) -> Callable[..., Any]:
    """Gives a command --server, --user and --password, and calls it with an open `Server` in
    front. An error of the server ends the process with one line and an exit code."""

    @functools.wraps(command)
    def run(
        *arguments: Any, server: str, user: str | None, password: str | None, **named: Any
    ) -> Any:
        try:
            with Server(server, credentials(user, password)) as opened:
                return command(opened, *arguments, **named)  # type: ignore[arg-type]
        except ServerError as error:
            fail(str(error), FOUND if error.status else CANNOT_REACH)
        except OSError as error:
            fail(str(error), FOUND)

    return SERVER(USER(PASSWORD(run)))


def credentials(user: str | None, password: str | None) -> str | None:
    """ "name:password", or None where nobody is named."""
    if user is None:
        if password is not None:
            raise click.UsageError("--password without --user: say whose it is")
        return None
    if ":" in user:
        return user
    if password is None:
        raise click.UsageError(
            "--user without a password: give NAME:PASSWORD, --password or ORTHANC_FAST_PASSWORD"
        )
    return f"{user}:{password}"


def fail(text: str, code: int) -> None:
    """Ends the process with one line."""
    click.echo(f"orthanc-fast: {text}", err=True)
    sys.exit(code)


def level_of(name: str | None) -> Level | None:
    """The level that an option names."""
    found: Level | None = next((each for each in LEVELS if each.lower() == name), None)
    return found


def print_json(value: Any) -> None:
    """Indented on a terminal, in one line elsewhere."""
    text = msgspec.json.encode(value)
    if sys.stdout.isatty():
        text = msgspec.json.format(text)
    click.echo(text)


def print_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns as wide as what is in them; control characters of DICOM files are shown as ?."""
    cells = [list(titles), *([_printable(cell) for cell in row] for row in rows)]
    widths = [max(_width(row[at]) for row in cells) for at in range(len(titles))]
    for row in cells:
        padded = (
            cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)
        )
        click.echo("  ".join(padded).rstrip())


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)


def _width(text: str) -> int:
    """On a terminal: letters of East Asia take two places, accents of their own none."""
    return sum(
        0 if unicodedata.combining(each) else 1 + (unicodedata.east_asian_width(each) in "WF")
        for each in text
    )


def size_text(size: float) -> str:
    """Bytes as people read them."""
    for unit in ("B", "KB", "MB", "GB"):
        if abs(size) < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
