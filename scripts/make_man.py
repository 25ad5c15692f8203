"""Writes deploy/orthanc-fast.1 and deploy/completions/ from the command line's own help.

`python scripts/make_man.py` writes the files; tests/test_man.py says when they are old.
"""

import inspect
from pathlib import Path
from textwrap import dedent

import click
from click.shell_completion import get_completion_class

from orthanc_fast import __version__
from orthanc_fast.cli import main

FOLDER = Path(__file__).parents[1] / "deploy"
PROGRAM = "orthanc-fast"
COMPLETIONS = {"bash": PROGRAM, "zsh": f"_{PROGRAM}", "fish": f"{PROGRAM}.fish"}

AFTER = """
.SH ENVIRONMENT
.TP
.B ORTHANC__OPTION, ORTHANC__SECTION__OPTION
An option of the configuration; with
.B _FILE
at the end, the file that holds its value.
.TP
.B ORTHANC_JSON
A whole configuration.
.TP
.B ORTHANC_PASSWORD
The password of the user orthanc, where no users are named.
.TP
.B VERBOSE_ENABLED, TRACE_ENABLED, NO_JOBS
true: as the options of
.B serve.
.SH FILES
.TP
.I /etc/orthanc/*.json
The configuration, in one file or several, as the service reads it.
.TP
.I /var/lib/orthanc
The store, unless the configuration says otherwise.
.SH SIGNALS
.TP
.B SIGTERM, SIGINT
Requests in work are completed, then the server ends.
.TP
.B SIGHUP
The configuration is read again; where it has changed the workers are replaced.
.SH EXIT STATUS
.TP
.B 0
Success.
.TP
.B 1
Something was refused or found.
.TP
.B 2
Wrong usage or configuration.
.TP
.B 3
The server cannot start.
"""


def roff(text: str) -> str:
    """A text of any characters."""
    lines = text.replace("\\", "\\e").replace("-", "\\-").splitlines()
    return "\n".join(f"\\&{line}" if line[:1] in (".", "'") else line for line in lines)


def page() -> str:
    lines = [
        f'.TH ORTHANC\\-FAST 1 "" "{PROGRAM} {__version__}" "User Commands"',
        ".SH NAME",
        f"{roff(PROGRAM)} \\- a DICOM server that replaces Orthanc",
        ".SH SYNOPSIS",
        f".B {roff(PROGRAM)}",
        "[\\fIOPTIONS\\fR] \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]...",
        ".SH DESCRIPTION",
        *paragraphs(main.help or ""),
        ".SH COMMANDS",
    ]
    context = click.Context(main, info_name=PROGRAM)
    for name in main.list_commands(context):  # some are loaded when they are asked for
        command = main.get_command(context, name)
        assert command is not None
        with click.Context(command, info_name=name, parent=context) as inner:
            usage = " ".join(command.collect_usage_pieces(inner))
            lines += [f".SS {roff(name)} {roff(usage)}", *paragraphs(command.help or "")]
            for parameter in command.get_params(inner):
                record = parameter.get_help_record(inner)
                if record is not None and record[1] and "--help" not in parameter.opts:
                    lines += [".TP", f".B {roff(record[0])}", roff(record[1])]
    return "\n".join(lines) + AFTER


def paragraphs(text: str) -> list[str]:
    found: list[str] = []
    for part in inspect.cleandoc(dedent(text)).split("\n\n"):
        found += [roff(" ".join(part.split())), ".PP"]
    return found[:-1]


def completion(shell: str) -> str:
    """The script by which a shell asks the program itself."""
    kind = get_completion_class(shell)
    assert kind is not None
    return kind(main, {}, PROGRAM, "_ORTHANC_FAST_COMPLETE").source().strip() + "\n"


def files() -> dict[Path, str]:
    """What is to be in each file."""
    found = {FOLDER / f"{PROGRAM}.1": page()}
    for shell, name in COMPLETIONS.items():
        found[FOLDER / "completions" / name] = completion(shell)
    return found


if __name__ == "__main__":
    for path, text in files().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
