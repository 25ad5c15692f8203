"""Orthanc Explorer 2 of a site's own copy: its pages with a theme, and what they are told of this
server. Source: reference chapter 6, section 1.1."""

import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any, Final

import msgspec

from orthanc_fast.config_file import parse
from orthanc_fast.config_viewers import Explorer2
from orthanc_fast.rights import Right
from orthanc_fast.services.viewers.application import Application
from orthanc_fast.services.viewers.explorer_2_options import (
    ADVANCED,
    OF_RIGHTS,
    OF_WRITERS,
    TOKENS,
    UI_OPTIONS,
)

DEFAULTS: Final = "DefaultConfiguration.json"  # of a copy, where it has one
_HTML: Final = re.compile(rb"<html([^>]*)>", re.IGNORECASE)
_THEME: Final = re.compile(rb"\sdata-bs-theme=(\"[^\"]*\"|'[^']*'|[^\s>]+)")
_TITLE: Final = re.compile(rb"<title>.*?</title>", re.IGNORECASE | re.DOTALL)


class Explorer2Configuration(msgspec.Struct, omit_defaults=False, rename="pascal"):
    """What the pages ask for when they start."""

    plugins: dict[str, dict[str, Any]]
    ui_options: dict[str, Any]
    tokens: dict[str, Any]
    advanced_options: dict[str, Any]
    has_custom_logo: bool
    keycloak: None = None
    custom_logo_url: str | msgspec.UnsetType = msgspec.UNSET
    custom_title: str | msgspec.UnsetType = msgspec.UNSET


class PreLogin(msgspec.Struct, rename="pascal"):
    """What the pages ask for before anybody has logged in."""

    keycloak: None = None
    tokens_landing_options: Any = None
    inbox: dict[str, Any] | None = None


class Explorer2Files:
    """The application of one server."""

    def __init__(self, options: Explorer2) -> None:
        self._options = options
        self.application = Application(options.folder)
        self._defaults = _defaults_of(options.folder)

    def page(self, path: Path) -> bytes:
        """A page of the application, with the theme and the title. Blocks."""
        content = path.read_bytes()
        theme = self._options.theme.encode()

        def with_theme(found: re.Match[bytes]) -> bytes:
            return b'<html%b data-bs-theme="%b">' % (_THEME.sub(b"", found[1]), theme)

        content = _HTML.sub(with_theme, content, count=1)
        if self._options.title:
            title = f"<title>{escape(self._options.title)}</title>".encode()
            content = _TITLE.sub(lambda _: title, content, count=1)
        return content

    def style(self) -> bytes:
        """The style sheet of the theme, and behind it that of the site. Blocks."""
        paths = (self._options.theme_style, self._options.style)
        return b"\n".join(path.read_bytes() for path in paths if path is not None)

    def configuration(
        self,
        plugins: Mapping[str, dict[str, Any]],
        *,
        rights: Right,
        read_only: bool,
        ohif: str | None,
    ) -> Explorer2Configuration:
        """What the pages are told for a user with these rights: `plugins` by name as they describe
        themselves, `ohif` is where that viewer is."""
        options = self._options
        theirs = self._defaults
        advanced = {**ADVANCED, **theirs.get("AdvancedOptions", {}), **options.advanced}
        offered = {**UI_OPTIONS, **theirs.get("UiOptions", {}), "EnableAuditLogs": False}
        if ohif is not None:
            offered |= {"EnableOpenInOhifViewer3": True, "OhifViewer3PublicRoot": ohif}
        offered |= options.ui_options
        if read_only and advanced["AdaptUiOnReadOnlySystems"]:
            offered |= dict.fromkeys(OF_WRITERS, False)
        for right, names in OF_RIGHTS.items():
            if right not in rights:
                offered |= dict.fromkeys(names, False)
        has_logo = options.logo is not None
        return Explorer2Configuration(
            plugins=dict(plugins),
            ui_options=offered,
            tokens={**TOKENS, **theirs.get("Tokens", {}), **options.tokens},
            advanced_options=advanced,
            has_custom_logo=has_logo or bool(options.logo_address),
            custom_logo_url=options.logo_address or msgspec.UNSET,
            custom_title=options.title or msgspec.UNSET,
        )

    def pre_login(self) -> PreLogin:
        """What the pages are told before a log-in."""
        landing = self._options.tokens.get("LandingOptions")
        return PreLogin(tokens_landing_options=landing, inbox=self._options.inbox)


def _defaults_of(folder: Path) -> dict[str, Any]:
    """The options of this version of the application, where its copy names them: newer ones may
    read more than this server knows of."""
    for path in (folder / DEFAULTS, folder.parent / DEFAULTS):
        if path.is_file():
            found = parse(path.read_text("utf-8"))
            section = found.get("OrthancExplorer2", found) if isinstance(found, dict) else {}
            return section if isinstance(section, dict) else {}
    return {}
