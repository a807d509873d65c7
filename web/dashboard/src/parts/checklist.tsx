// The first steps of who starts empty. Each ticks itself by what there is, and the list can be put away.

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { get } from "../api";
import { useEvery, useLive } from "../live/hooks";
import { me } from "../me";
import type { Feed, Page } from "../types";
import { t } from "../words";

// Who has more than so many devices, or signed up longer ago, needs no first steps.
const DEVICES_MAX = 5;
const DAYS_MAX = 30;
const DAY_MS = 86_400_000;

interface Step {
  id: string;
  name: string;
  hint: string;
  href: string;
  isDone: boolean;
}

/** What this browser remembers of a user's first steps. Without storage, it remembers nothing. */
function useMarks(userId: string): [Set<string>, (mark: string) => void] {
  const key = `roost.first-steps.${userId}`;
  const [marks, setMarks] = useState(() => read(key));
  return [
    marks,
    (mark) => {
      const next = new Set([...marks, mark]);
      setMarks(next);
      try {
        localStorage.setItem(key, [...next].join(" "));
      } catch {
        // A browser that stores nothing shows the list again.
      }
    },
  ];
}

function read(key: string): Set<string> {
  try {
    return new Set((localStorage.getItem(key) ?? "").split(" ").filter(Boolean));
  } catch {
    return new Set();
  }
}

export function Checklist({ devices }: { devices: number }) {
  const user = useQuery(me).data;
  const isNew = user && Date.now() - Date.parse(user.created_at) < DAYS_MAX * DAY_MS;
  return user && isNew && devices <= DEVICES_MAX ? <Steps userId={user.id} devices={devices} /> : null;
}

function Steps({ userId, devices }: { userId: string; devices: number }) {
  const live = useLive();
  useEvery("values");
  const [marks, mark] = useMarks(userId);
  const feeds = useQuery({ queryKey: ["/feeds", "first steps"], queryFn: () => get<Page<Feed>>("/feeds?limit=100"), refetchInterval: 10_000 });
  const known = feeds.data?.items ?? [];
  const steps = stepsOf({ devices, feeds: known, isLive: live.values.size > 0, hasRead: marks.has("docs") });
  const done = steps.filter((step) => step.isDone).length;
  if (marks.has("hidden") || !feeds.data || done === steps.length) return null;
  return (
    <section className="sheet" aria-labelledby="first-steps">
      <div className="row apart">
        <h2 id="first-steps">{t("First steps")}</h2>
        <span className="quiet">{t("{done} of {all} done", { done, all: steps.length })}</span>
        <button type="button" className="plain" onClick={() => mark("hidden")}>
          {t("Hide first steps")}
        </button>
      </div>
      <ol className="steps">
        {steps.map((step) => (
          <li key={step.id} data-step={step.id} data-done={step.isDone}>
            <span className={step.isDone ? "badge good" : "badge calm"}>{step.isDone ? t("Done") : t("To do")}</span>
            <span>
              <a href={step.href} onClick={() => step.id === "docs" && mark("docs")} target={step.id === "docs" ? "_blank" : undefined} rel="noreferrer">
                {step.name}
              </a>
              <br />
              <span className="quiet">{step.hint}</span>
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}

interface Known {
  devices: number;
  feeds: Feed[];
  /** A value arrived while this page was open. */
  isLive: boolean;
  hasRead: boolean;
}

export function stepsOf({ devices, feeds, isLive, hasRead }: Known): Step[] {
  const first = feeds.find((feed) => feed.last_value_at !== null) ?? feeds[0];
  const feedPage = first ? `#/feeds/${first.id}` : "#/feeds";
  return [
    {
      id: "device",
      name: t("Add your first device"),
      hint: t("Anything that can publish over MQTT or HTTP: a sensor, a screen, a script."),
      href: "#/devices",
      isDone: devices > 0,
    },
    {
      id: "reading",
      name: t("Send a first reading"),
      hint: t("With the button or a line of code that the new device shows."),
      href: "#/devices",
      isDone: feeds.some((feed) => feed.last_value_at !== null),
    },
    {
      id: "live",
      name: t("See it live"),
      hint: t("The chart of its feed grows as readings arrive."),
      href: feedPage,
      isDone: isLive,
    },
    {
      id: "alarm",
      name: t("Set a limit"),
      hint: t("A feed with a minimum or a maximum raises an alarm when a value is outside."),
      href: feedPage,
      isDone: feeds.some((feed) => feed.min_value !== null || feed.max_value !== null),
    },
    {
      id: "docs",
      name: t("Read the API reference"),
      hint: t("Everything on these pages can be done from a program, too."),
      href: "/docs",
      isDone: hasRead,
    },
  ];
}
