// One schedule and what became of each of its occurrences.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Trash2 } from "lucide-react";
import { useLocation } from "wouter";
import { useParameter } from "../address";
import { get, remove } from "../api";
import { useChange, useLive, useTopic } from "../live/hooks";
import { civil, instant } from "../parts/civil";
import { DeviceLink } from "../parts/device_name";
import { forgetDrafts } from "../parts/drafts";
import { EditForm, FOLLOWED_MS } from "../parts/edit_form";
import { Field } from "../parts/forms";
import { More, Rows, useList } from "../parts/lists";
import { patchShown } from "../parts/stored";
import { done } from "../parts/toasts";
import { Select } from "../parts/select";
import { Action, Badge, Heading, Loaded, Missing, RowMenu } from "../parts/ui";
import type { Occurrence, Schedule } from "../types";
import { moment, playWord, t } from "../words";
import { toldOrQuoted } from "../words/problems";

const STATES = ["pending", "triggered", "acknowledged", "completed", "failed", "missed", "cancelled"];

export default function SchedulePage({ id }: { id: string }) {
  const schedule = useQuery({ queryKey: ["/media-schedules", id], queryFn: () => get<Schedule>(`/media-schedules/${id}`), refetchInterval: FOLLOWED_MS });
  const missing = <Missing title={t("Schedule not found")} list="/schedules?view=list" name={t("Show all schedules")} />;
  return <Loaded of={schedule} missing={missing}>{(found) => <About schedule={found} />}</Loaded>;
}

/** A change of the schedule took its place before anything was sent. */
const isReplaced = (each: Occurrence): boolean => each.state === "cancelled" && each.command_id === null;

function About({ schedule }: { schedule: Schedule }) {
  const live = useLive();
  const queries = useQueryClient();
  const [, go] = useLocation();
  const [state, setState] = useParameter("state");
  const media = useQuery({
    queryKey: ["/media", schedule.media_id],
    queryFn: () => get(`/media/${schedule.media_id}`),
    enabled: schedule.media_id !== null,
  });
  const occurrences = useList<Occurrence>(`/media-schedules/${schedule.id}/occurrences`, { state });
  useTopic("schedules");
  useChange("schedules", () => occurrences.refetch(), 1_500);
  const change = async (asked: Record<string, unknown>) => {
    await patchShown(queries, ["/media-schedules", schedule.id], `/media-schedules/${schedule.id}`, schedule, asked);
    void occurrences.refetch();
    done(t("Saved"));
  };
  const time = (at: string | null) => (at ? moment(at, schedule.timezone) : "");
  return (
    <>
      <Heading
        title={media.data?.filename ?? t("Schedule")}
        trail={[["/schedules", t("Schedules")]]}
        state={
          <>
            <Badge state={schedule.state} tone="calm" />
            <DeviceLink id={schedule.device_id} />
          </>
        }
      >
        <Action run={() => change({ enabled: !schedule.enabled })}>{schedule.enabled ? t("Pause") : t("Resume")}</Action>
        <RowMenu
          of={media.data?.filename ?? t("Schedule")}
          actions={[
            {
              name: t("Delete"),
              icon: Trash2,
              kind: "danger",
              title: t("Delete schedule"),
              ask: t("Its play history will be deleted. Media already playing continues."),
              said: t("Deleted"),
              run: async () => {
                await remove(`/media-schedules/${schedule.id}`);
                forgetDrafts(`/media-schedules/${schedule.id}`);
                void queries.invalidateQueries();
                go("/schedules");
              },
            },
          ]}
        />
      </Heading>
      <section className="sheet">
        <EditForm
          className="form beside"
          of={schedule}
          path={`/media-schedules/${schedule.id}`}
          queryKey={["/media-schedules", schedule.id]}
          names={{ trigger_time: "at" }}
          action={t("Save")}
          saved={() => void occurrences.refetch()}
          texts={(stored) => ({
            at: civil(Date.parse(stored.trigger_time), stored.timezone),
            recurrence: stored.recurrence ?? "",
            misfire: stored.misfire,
            grace_s: String(stored.grace_s),
          })}
          body={({ at, recurrence, grace_s, ...rest }, stored) => ({
            ...rest,
            ...(at !== undefined && { trigger_time: new Date(instant(at, stored.timezone)).toISOString() }),
            ...(recurrence !== undefined && { recurrence: recurrence || null }),
            ...(grace_s !== undefined && { grace_s: Number(grace_s) }),
          })}
        >
          <Field name="at" label={t("Start ({zone})", { zone: schedule.timezone })} type="datetime-local" step={1} required />
          <Field name="recurrence" label={t("Repeats")} placeholder="FREQ=DAILY" />
          <Field
            name="misfire"
            label={t("If missed")}
            required
            options={[
              ["fire", t("Play late")],
              ["skip", t("Skip")],
            ]}
          />
          <Field name="grace_s" label={t("Max delay (seconds)")} type="number" min={0} required />
        </EditForm>
      </section>
      <section className="sheet">
        <div className="row apart">
          <h2>{t("Play history")}</h2>
          <div className="toolbar">
            <Select
              label={t("State")}
              value={state}
              onChange={setState}
              options={[["", t("All")], ...STATES.map((each) => [each, playWord(each)] as const)]}
            />
          </div>
        </div>
        <p className="quiet">{t("Times in {zone}", { zone: schedule.timezone })}</p>
        <Loaded of={{ ...occurrences, data: occurrences.data?.filter((each) => state === "cancelled" || !isReplaced(each)) }}>
          {(items) =>
            items.length ? (
              <Rows
                caption={t("Play history")}
                head={[t("Due"), t("State"), t("Sent"), t("Playing"), t("Played"), t("Details")]}
                items={items.map((each) => live.occurrences.newer(each))}
                id={(each) => each.id}
                row={(each) => [
                  time(each.due_at),
                  <Badge state={each.state} text={playWord(each.state)} />,
                  time(each.triggered_at),
                  time(each.acknowledged_at),
                  time(each.completed_at),
                  toldOrQuoted(each),
                ]}
              />
            ) : (
              <p className="quiet">{state ? t("No results") : t("No plays yet")}</p>
            )
          }
        </Loaded>
        <More of={occurrences} />
      </section>
    </>
  );
}
