// Who is signed in decides what there is: the gate, or the pages inside.

import { QueryClient, QueryClientProvider, useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, Suspense, lazy, useEffect, useMemo, useState } from "react";
import { Redirect, Route, Router, Switch, useLocation } from "wouter";
import { useHashLocation } from "wouter/use-hash-location";
import { Problem, get, onSignedOut, post, signedOut } from "./api";
import { Connection } from "./live/connection";
import { LiveContext, useChange, useLink, useLive } from "./live/hooks";
import { LiveStore } from "./live/store";
import { me } from "./me";
import { Gate } from "./pages/gate";
import { Overview } from "./pages/overview";
import { Boundary } from "./parts/boundary";
import { Toasts, failed } from "./parts/toasts";
import { Loaded, useNow } from "./parts/ui";
import { type Theme, setTheme, useTheme } from "./theme";
import type { Site, User } from "./types";
import { type Language, ago, setLanguage, t, useLanguage } from "./words";
import logo from "./roost.svg";

const MapPage = lazy(() => import("./pages/map"));
const DevicesPage = lazy(() => import("./pages/devices"));
const DevicePage = lazy(() => import("./pages/device"));
const FeedPage = lazy(() => import("./pages/feed"));
const SchedulesPage = lazy(() => import("./pages/schedules"));
const SchedulePage = lazy(() => import("./pages/schedule"));
const MediaPage = lazy(() => import("./pages/media"));
const AlarmsPage = lazy(() => import("./pages/alarms"));
const ShopPage = lazy(() => import("./pages/shop"));
const SettingsPage = lazy(() => import("./pages/settings"));

const isFinal = (error: unknown): boolean => error instanceof Problem && error.status >= 400 && error.status < 500;

const client = new QueryClient({
  defaultOptions: { queries: { staleTime: 10_000, retry: (tries, error) => !isFinal(error) && tries < 2 } },
});

export function App() {
  // Every text is drawn again in the other language; what somebody has typed stays.
  useLanguage();
  useTheme();
  return (
    <QueryClientProvider client={client}>
      <Router hook={useHashLocation}>
        <Inside />
      </Router>
      <Toasts />
    </QueryClientProvider>
  );
}

function Inside() {
  const queries = useQueryClient();
  const site = useQuery({ queryKey: ["site"], queryFn: () => get<Site>("/site"), staleTime: Infinity });
  const user = useQuery(me);
  useEffect(
    () =>
      onSignedOut(() => {
        queries.setQueryData(["me"], null);
        queries.removeQueries({ predicate: ({ queryKey: [name] }) => name !== "me" && name !== "site" });
      }),
    [queries],
  );
  return (
    <Loaded of={site}>
      {(here) => (
        <Loaded of={user}>
          {(known) => (known ? <Shell key={known.id} user={known} /> : <Gate site={here} />)}
        </Loaded>
      )}
    </Loaded>
  );
}

const PAGES: [string, string][] = [
  ["/", "Overview"],
  ["/map", "Map"],
  ["/devices", "Devices"],
  ["/schedules", "Schedules"],
  ["/media", "Media"],
  ["/alarms", "Alarms"],
  ["/shop", "Orders and products"],
  ["/settings", "Settings"],
];

function Shell({ user }: { user: User }) {
  const live = useMemo(() => new LiveStore(), []);
  useEffect(() => {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const connection = new Connection(live, `${scheme}://${location.host}/ws/devices?batch=1`, signedOut);
    connection.open();
    return () => connection.close();
  }, [live]);
  return (
    <LiveContext value={live}>
      <Refresh />
      <a className="skip" href="#main" onClick={(event) => (event.preventDefault(), document.getElementById("main")?.focus())}>
        {t("To the content")}
      </a>
      <div className="shell">
        <Side user={user} />
        <main id="main" tabIndex={-1}>
          <Page>
            <Switch>
              <Route path="/" component={Overview} />
              <Route path="/map" component={MapPage} />
              <Route path="/devices" component={DevicesPage} />
              <Route path="/devices/:id">{({ id }) => <DevicePage key={id} id={id} />}</Route>
              <Route path="/feeds/:id">{({ id }) => <FeedPage key={id} id={id} />}</Route>
              <Route path="/schedules" component={SchedulesPage} />
              <Route path="/schedules/:id">{({ id }) => <SchedulePage key={id} id={id} />}</Route>
              <Route path="/media" component={MediaPage} />
              <Route path="/alarms" component={AlarmsPage} />
              <Route path="/shop" component={ShopPage} />
              <Route path="/settings" component={SettingsPage} />
              <Route>
                <Redirect to="/" />
              </Route>
            </Switch>
          </Page>
        </main>
      </div>
    </LiveContext>
  );
}

/** What is inside may still be on its way, or fail: the menu stays. */
function Page({ children }: { children: ReactNode }) {
  const [path] = useLocation();
  return (
    <Boundary key={path}>
      <Suspense fallback={<p className="quiet loading">{t("Loading …")}</p>}>{children}</Suspense>
    </Boundary>
  );
}

/** After every snapshot but the first, what REST told may be old: something may have been missed. */
function Refresh() {
  const queries = useQueryClient();
  const live = useLive();
  useChange("snapshot", () => void (live.version("snapshot") > 1 && queries.invalidateQueries()), 200);
  return null;
}

function Side({ user }: { user: User }) {
  const [path] = useLocation();
  const [isOpen, setOpen] = useState(false);
  const theme = useTheme();
  const language = useLanguage();
  useEffect(() => setOpen(false), [path]);
  async function leave() {
    try {
      await post("/logout");
      signedOut();
    } catch (error) {
      failed(error);
    }
  }
  return (
    <header className={isOpen ? "side open" : "side"}>
      <div className="top">
        <a className="brand" href="#/">
          <img src={logo} alt="" /> Roost
        </a>
        <button type="button" className="menu" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          {t("Menu")}
        </button>
      </div>
      <nav aria-label={t("Pages")}>
        {PAGES.map(([to, name]) => (
          <a key={to} href={`#${to}`} aria-current={(to === "/" ? path === to : path.startsWith(to)) ? "page" : undefined}>
            {t(name)}
          </a>
        ))}
      </nav>
      <LinkState />
      <div className="end">
        <span className="quiet">{user.full_name || user.email || user.id}</span>
        <label className="hidden" htmlFor="theme">
          {t("Theme")}
        </label>
        <select id="theme" value={theme} onChange={(event) => setTheme(event.target.value as Theme)}>
          <option value="system">{t("As the system")}</option>
          <option value="light">{t("Light")}</option>
          <option value="dark">{t("Dark")}</option>
        </select>
        <label className="hidden" htmlFor="language">
          {t("Language")}
        </label>
        <select id="language" value={language} onChange={(event) => setLanguage(event.target.value as Language)}>
          <option value="en">English</option>
          <option value="vi">Tiếng Việt</option>
        </select>
        <button type="button" onClick={() => void leave()}>
          {t("Sign out")}
        </button>
      </div>
    </header>
  );
}

function LinkState() {
  const link = useLink();
  const now = useNow(1_000);
  const words = {
    connecting: () => t("Connecting …"),
    live: () => t("Live"),
    reconnecting: (since: number) => t("Reconnecting, lost {when}", { when: ago(since, now) }),
    stale: (since: number) => t("Stale since {when}", { when: ago(since, now) }),
  };
  const said = "since" in link ? words[link.state](link.since) : words[link.state]();
  return (
    <span className={`link ${link.state}`} role="status" data-link={link.state}>
      {said}
    </span>
  );
}
