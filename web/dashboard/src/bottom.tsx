// On a phone: the pages that are looked at most, at the thumb, and all of them in a sheet.

import { Dialog } from "@base-ui/react/dialog";
import { Bell, CalendarDays, Cpu, LayoutDashboard, Menu, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { useLocation } from "wouter";
import { PagesMenu, usePlace } from "./pages_menu";
import type { Icon } from "./parts/menu";
import { t } from "./words";

const PAGES: [string, string, Icon][] = [
  ["/", "Overview", LayoutDashboard],
  ["/devices", "Devices", Cpu],
  ["/alarms", "Alarms", Bell],
  ["/schedules", "Schedules", CalendarDays],
];

export function Bottom({ alarms }: { alarms: string }) {
  const place = usePlace();
  const [path] = useLocation();
  const [isOpen, setOpen] = useState(false);
  const isLeaving = useRef(false);
  useEffect(() => setOpen(false), [path]);
  useEffect(() => {
    isLeaving.current = false;
  }, [isOpen]);
  /** The page that comes takes the focus. */
  function leave(): void {
    isLeaving.current = true;
    setOpen(false);
  }
  return (
    <div className="bottom">
      <nav aria-label={t("Main pages")}>
        {PAGES.map(([to, name, Shown]) => (
          <a key={to} href={`#${to}`} aria-current={place(to)}>
            <Shown aria-hidden="true" />
            {t(name)}
            {to === "/alarms" && alarms && <span className="count">{alarms}</span>}
          </a>
        ))}
      </nav>
      <Dialog.Root open={isOpen} onOpenChange={setOpen}>
        <Dialog.Trigger>
          <Menu aria-hidden="true" />
          {t("Menu")}
        </Dialog.Trigger>
        <Dialog.Portal>
          <Dialog.Backdrop className="veil" />
          <Dialog.Popup className="dialog" finalFocus={() => !isLeaving.current}>
            <div className="row apart">
              <Dialog.Title>{t("Pages")}</Dialog.Title>
              <Dialog.Close className="icon close" aria-label={t("Close")}>
                <X aria-hidden="true" />
              </Dialog.Close>
            </div>
            <PagesMenu alarms={alarms} chosen={leave} />
          </Dialog.Popup>
        </Dialog.Portal>
      </Dialog.Root>
    </div>
  );
}
