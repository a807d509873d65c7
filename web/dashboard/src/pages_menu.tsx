// The pages by what they are for: at the side of a desk, and in a sheet on a phone.

import {
  Bell, CalendarDays, ChartLine, Cpu, KeyRound, LayoutDashboard, Images, Map as MapIcon, Package, ScrollText, ShoppingCart, UserRound, Webhook,
} from "lucide-react";
import { useLocation } from "wouter";
import { useSearch } from "./address";
import type { Icon } from "./parts/menu";
import { t } from "./words";

type Page = [to: string, name: string, icon: Icon];

const PAGES: [string, Page[]][] = [
  ["Monitor", [
    ["/", "Overview", LayoutDashboard],
    ["/map", "Map", MapIcon],
    ["/devices", "Devices", Cpu],
    ["/feeds", "Feeds", ChartLine],
    ["/alarms", "Alarms", Bell],
  ]],
  ["Signage", [
    ["/schedules", "Schedules", CalendarDays],
    ["/media", "Media", Images],
  ]],
  ["Shop", [
    ["/shop", "Orders", ShoppingCart],
    ["/shop?tab=products", "Products", Package],
  ]],
  ["Settings", [
    ["/settings", "Account", UserRound],
    ["/settings?tab=keys", "API keys", KeyRound],
    ["/settings?tab=webhooks", "Webhooks", Webhook],
    ["/settings?tab=audit", "Activity log", ScrollText],
  ]],
];

/** Whether an address of the menu is where somebody is: its own tab, or the page for all tabs that have no line. */
export function isHere(to: string, path: string, tab: string): boolean {
  const [page, asked] = to.split("?tab=") as [string, string | undefined];
  if (page === "/") return path === "/";
  if (path !== page && !path.startsWith(`${page}/`)) return false;
  return asked === undefined ? !tab || !hasLine(page, tab) : asked === tab;
}

const hasLine = (page: string, tab: string): boolean => PAGES.some(([, pages]) => pages.some(([to]) => to === `${page}?tab=${tab}`));

export function usePlace(): (to: string) => "page" | undefined {
  const [address] = useLocation();
  // A comparison is of feeds, and has no line of its own.
  const path = address === "/compare" ? "/feeds" : address;
  const tab = useSearch().get("tab") ?? "";
  return (to) => (isHere(to, path, tab) ? "page" : undefined);
}

export function PagesMenu({ alarms, chosen }: { alarms: string; chosen?: () => void }) {
  const place = usePlace();
  return (
    <nav className="pages" aria-label={t("Pages")}>
      {PAGES.map(([group, pages]) => (
        <section key={group} aria-labelledby={`pages-${group}`}>
          <p className="group" id={`pages-${group}`}>
            {t(group)}
          </p>
          {pages.map(([to, name, Shown]) => (
            <a key={to} href={`#${to}`} aria-current={place(to)} onClick={chosen}>
              <Shown aria-hidden="true" />
              {t(name)}
              {to === "/alarms" && alarms && (
                <span className="count" data-testid="open-alarms">
                  {alarms}
                </span>
              )}
            </a>
          ))}
        </section>
      ))}
    </nav>
  );
}
