// What every page stands in.

import { useEffect, useRef } from "preact/hooks";
import { loggedOut } from "../api/client";
import { loadSession, may, needsLogin, session } from "../api/session";
import { Activities } from "../components/activities";
import { Dialogs } from "../components/dialog";
import { Empty, Failure, Loading } from "../components/states";
import { Toasts } from "../components/toasts";
import { useLoaded } from "../hooks";
import { type PageEntry, pages } from "../pages/registry";
import { FIRST_PAGE, href, route } from "../router";
import { Header } from "./header";
import { Login } from "./login";
import { shownPage } from "./shown_page";
import { say } from "./texts";

// What the address names is loaded while the server still says who this is.
pageNamed(route.value.page)?.load().catch(() => undefined);

function pageNamed(name: string): PageEntry | undefined {
  return Object.hasOwn(pages, name) ? pages[name] : undefined;
}

export function Layout() {
  const known = useLoaded(() => loadSession(), [loggedOut.value]);
  if (session.value === null) return known.error ? <main><Failure error={known.error} retry={known.reload} /></main> : null;
  return (
    <>
      {needsLogin.value ? <Login /> : <Shown />}
      <Dialogs />
      <Activities />
      <Toasts />
    </>
  );
}

function Shown() {
  const name = shownPage.value;
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  const page = pageNamed(name);
  // Another page begins at its top, for keys and screen readers too; the first one leaves the focus where it is.
  useEffect(() => {
    if (!isFirst.current) {
      main.current?.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
    isFirst.current = false;
  }, [name]);
  const content = page === undefined
    ? <Empty><h1>{say("notFound")}</h1><a href={href(FIRST_PAGE)}>{say("toStudies")}</a></Empty>
    : may(page.permission) ? <Page key={name} page={page} /> : <Empty><h1>{say("notAllowed")}</h1></Empty>;
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); main.current?.focus(); }}>{say("skip")}</a>
      {!page?.isBare && <Header />}
      <main id="main" ref={main} tabIndex={-1} class={page?.isBare ? "bare" : ""}>{content}</main>
    </>
  );
}

function Page({ page }: { page: PageEntry }) {
  const module = useLoaded(() => page.load(), [page]);
  if (module.error) return <Failure error={module.error} retry={() => location.reload()} />;
  if (!module.value) return <Loading />;
  const Content = module.value.default;
  return <Content query={route.value.query} />;
}
