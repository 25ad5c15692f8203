"""Writes the table of transfer syntaxes into docs/imaging.md."""

from pathlib import Path

from orthanc_fast.imaging.registry import coding_of
from orthanc_fast.transfer_syntaxes import SYNTAXES

PAGE = Path(__file__).parent.parent / "docs" / "imaging.md"
BEGIN, END = "<!-- support matrix: begin -->\n", "<!-- support matrix: end -->\n"
BY = {
    "native": "own kernels",
    "rle": "own kernels",
    "jpeg": "libjpeg-turbo",
    "jpeg_lossless": "libjpeg-turbo",
    "jpeg_ls": "CharLS",
    "jpeg_2000": "OpenJPEG",
    "htj2k": "OpenJPEG",
}


def matrix() -> str:
    """The table as Markdown."""
    lines = ["| UID | transfer syntax | decoded by |", "|---|---|---|"]
    for row in SYNTAXES.values():
        coding = coding_of(row)
        by = f"no: {coding.reason}" if coding.codec is None else BY[coding.codec]
        lines.append(f"| {row.uid} | {row.name} | {by} |")
    return "\n".join(lines) + "\n"


def with_matrix(page: str) -> str:
    """The page with its table replaced by the current one."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + matrix() + END + after


if __name__ == "__main__":
    PAGE.write_text(with_matrix(PAGE.read_text()))
