// A new schedule, with a preview of its next times.

import { useEffect, useRef, useState } from "react";
import { post } from "../api";
import { civil, here, instant, zones } from "../parts/civil";
import { useNamedDevices } from "../parts/device_name";
import { Dialog } from "../parts/dialog";
import { Field, Form, type Values, numberOf } from "../parts/forms";
import { useList } from "../parts/lists";
import { done } from "../parts/toasts";
import { Loaded } from "../parts/ui";
import type { Media } from "../types";
import { moment, t } from "../words";

const DAYS: [string, string][] = [
  ["once", "Once"],
  ["FREQ=HOURLY", "Every hour"],
  ["FREQ=DAILY", "Every day"],
  ["FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "Every weekday (Mon–Fri)"],
  ["FREQ=WEEKLY", "Every week"],
  ["FREQ=MONTHLY", "Every month"],
  ["own", "Custom (RRULE)"],
];

/** A rule in words, where this form offers it. */
export const ruleWord = (rule: string | null): string | null => {
  const known = DAYS.find(([each]) => each === (rule ?? "once"));
  return known ? t(known[1]) : null;
};

export const requestOf = (values: Values): Record<string, unknown> => ({
  media_id: values.media_id,
  device_id: values.device_id,
  trigger_time: new Date(instant(values.at ?? "", values.timezone ?? "UTC")).toISOString(),
  timezone: values.timezone,
  recurrence: values.repeats === "once" ? null : values.repeats === "own" ? values.rule : values.repeats,
  misfire: values.misfire,
  grace_s: numberOf(values.grace_s),
});

interface Preview {
  zone: string;
  times: string[];
}

export function NewSchedule({ close }: { close: () => void }) {
  const devices = useNamedDevices();
  const media = useList<Media>("/media", { limit: 1000 });
  const box = useRef<HTMLDivElement>(null);
  const [repeats, setRepeats] = useState("once");
  const [preview, setPreview] = useState<Preview | null>(null);
  const [refused, setRefused] = useState<unknown>(null);
  const [edits, setEdits] = useState(0);
  const [soon] = useState(() => civil(Date.now() + 3_600_000, here()).slice(0, 16));

  useEffect(() => {
    const form = box.current?.querySelector("form");
    if (!form || !media.data?.length) return;
    let isLast = true;
    const show = (times: Preview | null, error: unknown = null) => {
      if (!isLast) return;
      setPreview(times);
      setRefused(error);
    };
    const timer = setTimeout(() => {
      const values = Object.fromEntries(new FormData(form)) as Values;
      if (!values.at || !values.device_id) return show(null);
      post<{ due_at: string[] }>("/schedule-previews", requestOf(values))
        .then((said) => show({ zone: values.timezone ?? "UTC", times: said.due_at.slice(0, 10) }))
        .catch((error: unknown) => show(null, error));
    }, 300);
    return () => {
      isLast = false;
      clearTimeout(timer);
    };
  }, [edits, media.data?.length]);

  if (media.data && (!media.data.length || !devices.length)) {
    return (
      <Dialog title={t("New schedule")} close={close}>
        <p>{t("You need a media file and a device first.")}</p>
        <div className="row">
          {!media.data.length && (
            <a className="button" href="#/media">
              {t("Upload media")}
            </a>
          )}
          {!devices.length && (
            <a className="button" href="#/devices">
              {t("Add device")}
            </a>
          )}
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog title={t("New schedule")} wide close={close}>
      <Loaded of={media}>
        {(files) => (
          <div ref={box} onInput={() => setEdits(edits + 1)} onChange={() => setEdits(edits + 1)}>
            <Form
              className="form beside"
              names={{ trigger_time: "at", recurrence: repeats === "own" ? "rule" : "repeats" }}
              refused={refused}
              action={t("Create schedule")}
              submit={async (values) => {
                await post("/media-schedules", requestOf(values));
                done(t("Schedule created"));
                close();
              }}
            >
              <Field name="media_id" label={t("Media")} required options={files.map((each) => [each.id, each.filename])} />
              <Field
                name="device_id"
                label={t("Device")}
                required
                options={devices.map((each) => [each.id, each.name])}
              />
              <Field name="at" label={t("Start")} type="datetime-local" step={1} required value={soon} />
              <Field
                name="timezone"
                label={t("Time zone")}
                required
                value={here()}
                options={zones().map((each) => [each, each])}
              />
              <Field
                name="repeats"
                label={t("Repeats")}
                required
                options={DAYS.map(([rule, text]) => [rule, t(text)])}
                onChange={setRepeats}
              />
              {repeats === "own" && (
                <Field name="rule" label={t("Recurrence rule")} required placeholder="FREQ=DAILY;INTERVAL=2;COUNT=10" hint="RFC 5545" />
              )}
              <Field
                name="misfire"
                label={t("If missed")}
                required
                options={[
                  ["fire", t("Play late")],
                  ["skip", t("Skip")],
                ]}
              />
              <Field name="grace_s" label={t("Max delay (seconds)")} type="number" min={0} value={300} required />
            </Form>
          </div>
        )}
      </Loaded>
      <h3>{t("Next 10 plays")}</h3>
      <div aria-live="polite" data-testid="preview">
        {preview === null ? null : !preview.times.length ? (
          <p className="quiet">{t("No upcoming plays")}</p>
        ) : (
          <>
            <p className="quiet">{t("Times in {zone}", { zone: preview.zone })}</p>
            <ol>
              {preview.times.map((each) => (
                <li key={each}>{moment(each, preview.zone)}</li>
              ))}
            </ol>
          </>
        )}
      </div>
    </Dialog>
  );
}
