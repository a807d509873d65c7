// What a device was told, and what it said.

import { useQuery } from "@tanstack/react-query";
import { get, post, remove } from "../api";
import { useChange, useLive, useTopic } from "../live/hooks";
import { Field, Form } from "../parts/forms";
import { More, Rows, useList } from "../parts/lists";
import { Action, Badge, Loaded } from "../parts/ui";
import type { Command } from "../types";
import { clock, moment, reasonWord, t } from "../words";
import { toldOrQuoted, toldText } from "../words/problems";

export function Commands({ id }: { id: string }) {
  const live = useLive();
  const commands = useList<Command>(`/devices/${id}/commands`);
  useTopic("commands");
  useChange("commands", () => commands.refetch(), 2_000);
  return (
    <section className="sheet">
      <h2>{t("Commands")}</h2>
      <Form
        className="form beside"
        action={t("Send command")}
        again
        submit={async ({ type, payload }) => {
          await post(`/devices/${id}/commands`, { type, payload: payload ? parsed(payload) : {} });
          void commands.refetch();
        }}
      >
        <Field name="type" label={t("Command")} required maxLength={64} placeholder="reboot" />
        <Field name="payload" label={t("Payload (JSON)")} placeholder="{}" />
      </Form>
      <Loaded of={commands}>
        {(items) =>
          items.length ? (
            <Rows
              caption={t("Commands")}
              head={[t("Command"), t("State"), t("Sent"), t("Attempts"), t("Details"), ""]}
              items={items.map((each) => live.commands.newer(each))}
              id={(each) => each.id}
              row={(each) => [
                <code>{each.type}</code>,
                <Badge state={each.state} />,
                moment(each.created_at),
                each.attempts,
                toldOrQuoted(each) || (each.result ? JSON.stringify(each.result) : ""),
                ["queued", "sent"].includes(each.state) && (
                  <Action run={() => remove(`/commands/${each.id}`)} said={t("Cancelled")}>
                    {t("Cancel command")}
                  </Action>
                ),
              ]}
            />
          ) : (
            <p className="quiet">{t("No commands yet")}</p>
          )
        }
      </Loaded>
      <More of={commands} />
    </section>
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(t("Invalid JSON"));
  }
}

/** "Rejected: unknown feed (this device has no feed 'soil')" */
const rejected = (reason: string, why: string): string =>
  t("Rejected: {reason}", { reason: reasonWord(reason) }) + (why && ` (${why})`);

export function Messages({ id }: { id: string }) {
  const messages = useQuery({
    queryKey: ["/devices", id, "messages"],
    queryFn: () => get(`/devices/${id}/messages`),
    refetchInterval: 5_000,
  });
  return (
    <section className="sheet">
      <h2>{t("Recent messages")}</h2>
      <Loaded of={messages}>
        {({ items }) =>
          items.length ? (
            <Rows
              caption={t("Recent messages")}
              head={[t("Time"), t("Topic"), t("Message"), t("Status")]}
              items={items}
              id={(each) => each.at + each.topic + each.payload}
              row={(each) => [
                clock(each.at),
                <code>{each.reason === "denied" ? each.topic : each.topic.split("/").slice(4).join("/")}</code>,
                <code>{each.payload.slice(0, 200)}</code>,
                each.reason ? rejected(each.reason, toldText(each)) : t("Accepted"),
              ]}
            />
          ) : (
            <p className="quiet">{t("No messages since the server started")}</p>
          )
        }
      </Loaded>
    </section>
  );
}
