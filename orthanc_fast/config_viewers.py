"""The sections of applications of other projects that this server hands to browsers: OHIF,
VolView, OrthancExplorer2. Each has the option `Folder`, which names the site's copy.

For each there is a function that makes it of what the file says. They raise ValueError with the
reason. Source: reference chapter 6, sections 1 and 4.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

_BASE: Final = re.compile(r"(/[A-Za-z0-9._~-]+)+/")


class Ohif(msgspec.Struct, frozen=True):
    """The OHIF viewer: the folder of its files, the path below which it is served, with a slash at
    both ends, and a script that changes its configuration."""

    folder: Path
    base: str
    user_configuration: Path | None


class _OhifSection(msgspec.Struct, frozen=True, rename="pascal"):
    """As Orthanc's plugin has it, and the folder, since the viewer is not part of this server. What
    is unknown is passed over, as by the plugin."""

    folder: str = ""
    router_basename: str = "/ohif/"
    user_configuration: str = ""


def ohif(value: Any, here: Path) -> Ohif | None:
    """The options of the section `OHIF`, None where the viewer is not to be served; `here` is where
    relative paths begin."""
    found = msgspec.convert(value, _OhifSection)
    if not found.folder:
        return None
    return Ohif(
        _folder(here / found.folder),
        _base("RouterBasename", found.router_basename, "/ohif/"),
        _file("UserConfiguration", found.user_configuration, here),
    )


class VolView(msgspec.Struct, frozen=True):
    """The VolView viewer: the folder of its files, and the path below which it is served."""

    folder: Path
    base: str


class _VolViewSection(msgspec.Struct, frozen=True, rename="pascal"):
    enable: bool = True
    folder: str = ""
    root: str = "/volview/"


def volview(value: Any, here: Path) -> VolView | None:
    """The options of the section `VolView`, None where the viewer is not to be served."""
    found = msgspec.convert(value, _VolViewSection)
    if not found.folder or not found.enable:
        return None
    return VolView(_folder(here / found.folder), _base("Root", found.root, "/volview/"))


class Explorer2(msgspec.Struct, frozen=True):
    """Orthanc Explorer 2: the folder of its built files, the path below which its pages (`app/`)
    and its routes (`api/`) are, and what its pages are told."""

    folder: Path
    base: str
    is_default: bool  # / leads there
    theme: Literal["light", "dark"]
    style: Path | None  # of the site, behind that of the theme
    theme_style: Path | None  # of the theme; None where the folder lacks it
    logo: Path | None
    icon: Path | None
    logo_address: str
    title: str
    ui_options: dict[str, Any]  # of the copy's own defaults and the site
    tokens: dict[str, Any]
    advanced: dict[str, Any]
    inbox: dict[str, Any] | None


class _Explorer2Section(msgspec.Struct, frozen=True, rename="pascal"):
    """As Orthanc's plugin has it, and the folder."""

    enable: bool = True
    folder: str = ""
    root: str = "/ui/"
    is_default_orthanc_u_i: bool = msgspec.field(default=True, name="IsDefaultOrthancUI")
    theme: Literal["light", "dark"] = "light"
    custom_css_path: str = ""
    custom_logo_path: str = ""
    custom_logo_url: str = ""
    custom_fav_icon_path: str = ""
    custom_title: str = ""
    ui_options: dict[str, Any] = {}
    tokens: dict[str, Any] = {}
    advanced_options: dict[str, Any] = {}
    inbox: dict[str, Any] = {}
    keycloak: dict[str, Any] = {}


def explorer_2(value: Any, here: Path) -> Explorer2 | None:
    """The options of the section `OrthancExplorer2`, None where it is not to be served."""
    found = msgspec.convert(value, _Explorer2Section)
    if not found.folder or not found.enable:
        return None
    if found.keycloak.get("Enable"):
        raise ValueError(
            "Keycloak is not offered: users are those of RegisteredUsers, or of a proxy before "
            "this server"
        )
    folder = _folder(here / found.folder)
    return Explorer2(
        folder=folder,
        base=_base("Root", found.root, "/ui/"),
        is_default=found.is_default_orthanc_u_i,
        theme=found.theme,
        style=_file("CustomCssPath", found.custom_css_path, here),
        theme_style=_theme_style(folder, found.theme),
        logo=_file("CustomLogoPath", found.custom_logo_path, here),
        icon=_file("CustomFavIconPath", found.custom_fav_icon_path, here),
        logo_address=found.custom_logo_url,
        title=found.custom_title,
        ui_options=found.ui_options,
        tokens=found.tokens,
        advanced=found.advanced_options,
        inbox=found.inbox if found.inbox.get("Enable") else None,
    )


def viewer_notes(values: Mapping[str, Any]) -> list[str]:
    """What is to be said of these sections at the start: where Orthanc's plugin brings the
    application along, and this server has to be told where it is."""
    notes = []
    for name in ("OrthancExplorer2", "VolView"):
        section = values.get(name)
        if not isinstance(section, dict) or not section:
            continue
        if section.get("Enable", True) and not section.get("Folder"):
            notes.append(
                f"{name}: not served, as it is not part of this server: name the folder of its "
                "built files in the option Folder (docs/viewers.md)"
            )
    return notes


def _theme_style(folder: Path, theme: str) -> Path | None:
    """The style sheet of a theme, which is not among the built files: beside them, or where it is
    in the folder in which they were built."""
    name = f"defaults-{theme}.css"
    places = (folder, folder / "customizable", folder / "assets", folder.parent)
    for place in (*places, folder.parent / "src" / "assets" / "css"):
        if (place / name).is_file():
            return place / name
    return None


def _folder(given: Path) -> Path:
    """The folder with the page: the one that is given, or its `dist`, as in a package of npm."""
    for folder in (given, given / "dist"):
        if (folder / "index.html").is_file():
            return folder
    raise ValueError(f"Folder: there is no index.html in {given} nor its dist")


def _base(option: str, path: str, example: str) -> str:
    inner = path.removeprefix("/").removesuffix("/")
    base = f"/{inner}/"
    if not _BASE.fullmatch(base):
        raise ValueError(f"{option} must be a path such as {example}")
    return base


def _file(option: str, name: str, here: Path) -> Path | None:
    if not name:
        return None
    path = here / name
    if not path.is_file():
        raise ValueError(f"{option}: there is no {path}")
    return path
