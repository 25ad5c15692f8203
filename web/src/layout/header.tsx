// The head of every page: the server, the pages, who is logged in, language and colours.

import { useEffect, useRef } from "preact/hooks";
import { logOut, may, session } from "../api/session";
import { getSystem } from "../api/resources";
import { Icon } from "../components/icon";
import { Menu, type Item } from "../components/menu";
import { toastError } from "../components/toasts";
import { useLoaded } from "../hooks";
import { LANGUAGES, type Language, chooseLanguage, language } from "../i18n";
import { type PageEntry, pages } from "../pages/registry";
import { FIRST_PAGE, href } from "../router";
import { THEMES, theme } from "../theme";
import { shownPage } from "./shown_page";
import { say } from "./texts";

export function Header() {
  const system = useLoaded(() => getSystem(), [session.value]);
  const shown = Object.entries(pages).filter(([, page]) => page.navigation && may(page.permission));
  const absent = useLoaded(() => absentPages(shown), [session.value]).value;
  // Where there is no room for all the current page is in sight.
  const nav = useRef<HTMLElement>(null);
  useEffect(() => {
    const link = nav.current?.querySelector<HTMLElement>("[aria-current]");
    if (nav.current && link) nav.current.scrollLeft = link.offsetLeft - (nav.current.clientWidth - link.offsetWidth) / 2;
  }, [shownPage.value, absent]);
  return (
    <header class="head">
      <a class="brand" href={href(FIRST_PAGE)}><bdi>{system.value?.Name || "DICOM"}</bdi></a>
      <nav ref={nav} aria-label={say("navigation")}>
        {shown.filter(([name, page]) => !page.isThere || absent?.has(name) === false).map(([name, page]) => (
          <a key={name} href={href(name)} aria-current={shownPage.value === name ? "page" : undefined}>{page.navigation?.[language.value]}</a>
        ))}
      </nav>
      {session.value?.Name && <span class="user"><Icon name="person" /> <bdi>{session.value.Name}</bdi></span>}
      <Menu label={say("settings")} icon="settings" class="plain" align="end" items={settings()} />
    </header>
  );
}

/** Those of which the server says that it has nothing to show. */
async function absentPages(all: [string, PageEntry][]): Promise<Set<string>> {
  const found = await Promise.all(all.map(async ([name, { isThere }]) => (!isThere || await isThere().catch(() => false) ? [] : [name])));
  return new Set(found.flat());
}

function settings(): Item[] {
  const names = { system: say("system"), light: say("light"), dark: say("dark") };
  const items: Item[] = THEMES.map((each) => ({
    id: each, label: names[each], checked: theme.value === each, run: () => { theme.value = each; },
  }));
  Object.entries(LANGUAGES).forEach(([id, label], index) => {
    items.push({ id, label, separated: index === 0, checked: language.value === id, run: () => chooseLanguage(id as Language) });
  });
  items.push({ id: "api", label: say("api"), icon: "link", separated: true, href: "api.html" });
  if (session.value?.LoginAvailable && session.value.Authenticated) {
    items.push({ id: "logOut", label: say("logOut"), icon: "lock", separated: true, run: () => { logOut().catch(toastError); } });
  }
  return items;
}
