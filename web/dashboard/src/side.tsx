// The menu: pages, how many alarms are open, and who is signed in.

import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { useLocation } from "wouter";
import { post } from "./api";
import { me } from "./me";
import { Bell, useAlarmCount } from "./parts/bell";
import { LinkState } from "./parts/link_state";
import { putStored } from "./parts/stored";
import { failed } from "./parts/toasts";
import logo from "./roost.svg";
import { type Theme, setTheme, useTheme } from "./theme";
import { titleAlarms } from "./title";
import type { User } from "./types";
import { type Language, setLanguage, t, useLanguage } from "./words";

const PAGES: [string, string][] = [
  ["/", "Overview"],
  ["/map", "Map"],
  ["/devices", "Devices"],
  ["/feeds", "Feeds"],
  ["/schedules", "Schedules"],
  ["/media", "Media"],
  ["/alarms", "Alarms"],
  ["/shop", "Shop"],
  ["/settings", "Settings"],
];

export function Side({ user }: { user: User }) {
  const [path] = useLocation();
  const [isOpen, setOpen] = useState(false);
  const menu = useRef<HTMLButtonElement>(null);
  const alarms = useAlarmCount();
  useEffect(() => setOpen(false), [path]);
  useEffect(() => titleAlarms(alarms), [alarms]);
  useEffect(() => () => titleAlarms(""), []);
  return (
    <header
      className={isOpen ? "side open" : "side"}
      onKeyDown={(event) => {
        if (event.key !== "Escape" || !isOpen) return;
        setOpen(false);
        menu.current?.focus();
      }}
    >
      <div className="top">
        <a className="brand" href="#/">
          <img src={logo} alt="" /> Roost
        </a>
        <Bell />
        <button ref={menu} type="button" className="menu" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          {t("Menu")}
        </button>
      </div>
      <nav aria-label={t("Pages")}>
        {PAGES.map(([to, name]) => (
          <a key={to} href={`#${to}`} aria-current={(to === "/" ? path === to : path.startsWith(to)) ? "page" : undefined}>
            {t(name)}
            {to === "/alarms" && alarms && (
              <>
                {" "}
                <span className="count" data-testid="open-alarms">
                  {alarms}
                </span>
              </>
            )}
          </a>
        ))}
      </nav>
      <LinkState />
      <Choices user={user} />
    </header>
  );
}

function Choices({ user }: { user: User }) {
  const theme = useTheme();
  const language = useLanguage();
  const queries = useQueryClient();
  async function leave() {
    try {
      await post("/logout");
      await putStored(queries, me.queryKey, null);
    } catch (error) {
      failed(error);
    }
  }
  return (
    <div className="end">
      <span className="quiet">{user.full_name || user.email || user.id}</span>
      <label className="hidden" htmlFor="theme">
        {t("Theme")}
      </label>
      <select id="theme" value={theme} onChange={(event) => setTheme(event.target.value as Theme)}>
        <option value="system">{t("System")}</option>
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
  );
}
