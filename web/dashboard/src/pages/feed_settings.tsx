// The settings of a feed.

import { useQueryClient } from "@tanstack/react-query";
import { useLocation } from "wouter";
import { remove } from "../api";
import type { Texts } from "../parts/draft";
import { forgetDrafts } from "../parts/drafts";
import { EditForm } from "../parts/edit_form";
import { Field, Tick } from "../parts/forms";
import { Action } from "../parts/ui";
import type { Feed } from "../types";
import { t } from "../words";

const number = (value: number | null): string => (value === null ? "" : String(value));

const textsOf = (feed: Feed): Texts => ({
  name: feed.name,
  unit: feed.unit ?? "",
  retain_days: number(feed.retain_days),
  enabled: feed.enabled ? "on" : "",
  ...(feed.kind === "number" && {
    min_value: number(feed.min_value),
    max_value: number(feed.max_value),
    on_violation: feed.on_violation,
    severity: feed.alarm.severity,
    after_s: String(feed.alarm.after_s),
    after_count: String(feed.alarm.after_count),
    hysteresis: String(feed.alarm.hysteresis),
  }),
});

const numberOrNull = (text: string): number | null => (text.trim() === "" ? null : Number(text));

/** The rule of the alarm is one value to the API: what is stored, with the changed parts. */
function bodyOf(changed: Texts, stored: Feed): Record<string, unknown> {
  const body: Record<string, unknown> = {};
  const alarm: Record<string, unknown> = {};
  for (const [name, text] of Object.entries(changed)) {
    if (name === "enabled") body[name] = text === "on";
    else if (name === "unit") body[name] = text || null;
    else if (["min_value", "max_value", "retain_days"].includes(name)) body[name] = numberOrNull(text);
    else if (name === "severity") alarm[name] = text;
    else if (name === "after_count") alarm[name] = Number(text || 1);
    else if (["after_s", "hysteresis"].includes(name)) alarm[name] = Number(text || 0);
    else body[name] = text;
  }
  return Object.keys(alarm).length ? { ...body, alarm: { ...stored.alarm, ...alarm } } : body;
}

export function FeedSettings({ feed }: { feed: Feed }) {
  const queries = useQueryClient();
  const [, go] = useLocation();
  return (
    <section className="sheet">
      <h2>{t("Settings")}</h2>
      <EditForm
        className="form beside"
        of={feed}
        path={`/feeds/${feed.id}`}
        queryKey={["/feeds", feed.id]}
        action={t("Save")}
        texts={textsOf}
        body={bodyOf}
        more={
          <Action
            kind="danger"
            label={t("Delete {name}", { name: feed.name })}
            ask={t("All its data will be permanently deleted.")}
            said={t("Deleted")}
            run={async () => {
              await remove(`/feeds/${feed.id}`);
              forgetDrafts(`/feeds/${feed.id}`);
              void queries.invalidateQueries();
              go(feed.device_id ? `/devices/${feed.device_id}` : "/devices");
            }}
          >
            {t("Delete")}
          </Action>
        }
      >
        <Field name="name" label={t("Name")} required maxLength={200} />
        <Field name="unit" label={t("Unit")} maxLength={16} />
        {feed.kind === "number" && (
          <>
            <Field name="min_value" label={t("Minimum")} type="number" step="any" />
            <Field name="max_value" label={t("Maximum")} type="number" step="any" />
            <Field
              name="on_violation"
              label={t("Out-of-range values")}
              required
              options={[
                ["reject", t("Reject")],
                ["flag", t("Keep and flag")],
              ]}
            />
            <Field
              name="severity"
              label={t("Alarm severity")}
              required
              options={[
                ["info", t("Info")],
                ["warning", t("Warning")],
                ["critical", t("Critical")],
              ]}
            />
            <Field name="after_s" label={t("Alarm delay (seconds)")} type="number" min={0} step="any" />
            <Field name="after_count" label={t("Consecutive values before alarm")} type="number" min={1} />
            <Field name="hysteresis" label={t("Hysteresis")} type="number" min={0} step="any" />
          </>
        )}
        <Field name="retain_days" label={t("Retention (days)")} type="number" min={1} />
        <Tick name="enabled" label={t("Accept data")} />
      </EditForm>
    </section>
  );
}
