// Everything inside: the menu, and beside it the page of the address.

import { useQueryClient } from "@tanstack/react-query";
import { type MouseEvent, type ReactNode, Suspense, useEffect, useMemo, useRef } from "react";
import { Route, Switch, useLocation } from "wouter";
import { Connection } from "./live/connection";
import { LiveContext, useChange, useLive } from "./live/hooks";
import { LiveStore } from "./live/store";
import { isSignedIn } from "./me";
import { NotFound } from "./pages/not_found";
import { Overview } from "./pages/overview";
import { Boundary } from "./parts/boundary";
import { fetchWhenIdle, lazily } from "./parts/lazily";
import { Banner } from "./parts/link_state";
import { Bones } from "./parts/ui";
import { VerifyBanner } from "./parts/verify_banner";
import { Side } from "./side";
import { arrive } from "./title";
import type { User } from "./types";
import { t } from "./words";

const DevicesPage = lazily(() => import("./pages/devices"));
const DevicePage = lazily<{ id: string }>(() => import("./pages/device"));
const FeedsPage = lazily(() => import("./pages/feeds"));
const FeedPage = lazily<{ id: string }>(() => import("./pages/feed"));
const ComparePage = lazily(() => import("./pages/compare"));
const SchedulesPage = lazily(() => import("./pages/schedules"));
const SchedulePage = lazily<{ id: string }>(() => import("./pages/schedule"));
const MediaPage = lazily(() => import("./pages/media"));
const AlarmsPage = lazily(() => import("./pages/alarms"));
const ShopPage = lazily(() => import("./pages/shop"));
const VerifyPage = lazily<{ token: string }>(() => import("./pages/verify"));
const SettingsPage = lazily(() => import("./pages/settings"));
// The largest comes last.
const MapPage = lazily(() => import("./pages/map"));

export function Shell({ user }: { user: User }) {
  const live = useMemo(() => new LiveStore(), []);
  const queries = useQueryClient();
  useEffect(() => {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const connection = new Connection(live, `${scheme}://${location.host}/ws/devices?batch=1`, () => isSignedIn(queries));
    connection.open();
    return () => connection.close();
  }, [live, queries]);
  useEffect(() => fetchWhenIdle(() => live.link.state === "live"), [live]);
  return (
    <LiveContext value={live}>
      <Refresh />
      {/* biome-ignore lint/a11y/useValidAnchor: it leads within the page, whose address is behind the # */}
      <a className="skip" href="#main" onClick={skip}>
        {t("Skip to content")}
      </a>
      <div className="shell">
        <Side user={user} />
        <main id="main" tabIndex={-1}>
          <Banner />
          <VerifyBanner />
          <Page>
            <Switch>
              <Route path="/" component={Overview} />
              <Route path="/map" component={MapPage} />
              <Route path="/devices" component={DevicesPage} />
              <Route path="/devices/:id">{({ id }) => <DevicePage key={id} id={id} />}</Route>
              <Route path="/feeds" component={FeedsPage} />
              <Route path="/feeds/:id">{({ id }) => <FeedPage key={id} id={id} />}</Route>
              <Route path="/compare" component={ComparePage} />
              <Route path="/schedules" component={SchedulesPage} />
              <Route path="/schedules/:id">{({ id }) => <SchedulePage key={id} id={id} />}</Route>
              <Route path="/media" component={MediaPage} />
              <Route path="/alarms" component={AlarmsPage} />
              <Route path="/shop" component={ShopPage} />
              <Route path="/settings" component={SettingsPage} />
              <Route path="/verify/:token">{({ token }) => <VerifyPage key={token} token={token} />}</Route>
              <Route component={NotFound} />
            </Switch>
          </Page>
        </main>
      </div>
    </LiveContext>
  );
}

/** The address stays that of the page. */
function skip(event: MouseEvent): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

/** What is inside may still be on its way, or fail: the menu stays. */
function Page({ children }: { children: ReactNode }) {
  const [path] = useLocation();
  const shown = useRef(path);
  if (shown.current !== path) arrive();
  shown.current = path;
  return (
    <Boundary key={path}>
      <Suspense fallback={<Bones />}>{children}</Suspense>
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
