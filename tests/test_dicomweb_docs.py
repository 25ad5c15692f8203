"""What docs/dicomweb.md says of options and docs/viewers.md of OHIF is so."""

import re
from pathlib import Path

import msgspec
from support import npm

from orthanc_fast.config import load
from orthanc_fast.config_sections import DicomWeb

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "dicomweb.md").read_text()
VIEWERS = (ROOT / "docs" / "viewers.md").read_text()


def section(name: str, text: str = TEXT) -> str:
    found = re.search(rf"^## {re.escape(name)}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert found is not None, name
    return found[1]


def test_options_and_defaults() -> None:
    rows = re.findall(r"^\| (`.*?) \| (`.*?) \| ", section("Options"), re.MULTILINE)
    shown: dict[str, str] = {}
    for names, defaults in rows:
        values = re.findall(r"`(.*?)`", defaults)
        options = re.findall(r"`(.*?)`", names)
        values *= len(options) if len(values) == 1 else 1
        shown |= dict(zip(options, values, strict=True))
    shown["PublicRoot"] = '""'  # it is that of Root
    fields = {field.encode_name: field.default for field in msgspec.structs.fields(DicomWeb)}
    assert set(shown) == set(fields)
    for name, text in shown.items():
        default = list(fields[name]) if isinstance(fields[name], tuple) else fields[name]
        if default is not msgspec.NODEFAULT:
            assert msgspec.json.decode(text) == default, name


def test_the_version_is_the_tested_one() -> None:
    shown = set(re.findall(r"ohif[-/a-z]*[@-](\d+\.\d+\.\d+)", VIEWERS))
    script = (ROOT / "scripts" / "npm_packages.sh").read_text()
    assert shown == set(re.findall(r"^@ohif/app (\S+)", script, re.MULTILINE))


def test_three_lines(needs_viewers: None, tmp_path: Path) -> None:
    """The third one, where the first two have made the folder."""
    lines = [
        line[4:] for line in section("The OHIF viewer", VIEWERS).splitlines() if line[:4] == "    "
    ]
    assert lines[0].startswith("npm pack @ohif/app@")
    assert lines[1].startswith("tar ")
    (tmp_path / "package").symlink_to(npm.package(npm.OHIF))
    file = tmp_path / "orthanc.json"
    file.write_text(f"{{ {lines[2]} }}")
    warnings: list[str] = []
    found = load([file], warnings.append, {}).ohif
    assert found is not None
    assert (found.folder, found.base) == (tmp_path / "package" / "dist", "/ohif/")
    assert warnings == []
