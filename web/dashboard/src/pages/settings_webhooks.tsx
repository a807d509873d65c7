// Webhooks and their deliveries.

import { useQuery } from "@tanstack/react-query";
import { History, Pause, Play, Send, Trash2 } from "lucide-react";
import { useState } from "react";
import { PRECONDITION_FAILED, Problem, type Versioned, get, patch, post, remove } from "../api";
import { Dialog } from "../parts/dialog";
import { Field, Form } from "../parts/forms";
import { Rows, useList } from "../parts/lists";
import { changedElsewhere } from "../parts/stored";
import { Action, Badge, Loaded, RowMenu, Secret } from "../parts/ui";
import type { Webhook } from "../types_account";
import { moment, t } from "../words";
import { toldOrQuoted } from "../words/problems";

export function Webhooks() {
  const hooks = useList<Webhook>("/webhooks");
  const [secret, setSecret] = useState<string | null>(null);
  const [shown, setShown] = useState<Webhook | null>(null);
  const again = () => hooks.refetch();
  return (
    <>
      <p>{t("Send alarms, command results and missed schedules to a URL as signed JSON.")}</p>
      <Form
        className="form beside"
        action={t("Add webhook")}
        again
        submit={async ({ url, description }) => {
          setSecret((await post<{ secret: string }>("/webhooks", { url, description: description ?? "" })).secret);
          void again();
        }}
      >
        <Field name="url" label="URL" type="url" required placeholder="https://" />
        <Field name="description" label={t("Description")} maxLength={200} />
      </Form>
      <Loaded of={hooks}>
        {(items) =>
          items.length ? (
            <Rows
              caption={t("Webhooks")}
              head={["URL", t("State"), t("Description"), ""]}
              items={items}
              id={(each) => each.id}
              row={(each) => [
                <code>{each.url}</code>,
                <Badge state={each.state} tone={each.state === "active" ? "good" : undefined} />,
                each.description,
                <RowMenu
                  key="menu"
                  of={each.url}
                  actions={[
                    { name: t("Send test"), icon: Send, run: () => post(`/webhooks/${each.id}/test`), said: t("Test sent") },
                    { name: t("Deliveries"), icon: History, open: () => setShown(each) },
                    each.enabled
                      ? { name: t("Pause"), icon: Pause, run: () => switched(each).finally(again) }
                      : { name: t("Resume"), icon: Play, run: () => switched(each).finally(again) },
                    {
                      name: t("Delete"),
                      icon: Trash2,
                      kind: "danger",
                      title: t("Delete {name}", { name: each.url }),
                      ask: t("Pending deliveries will be discarded."),
                      said: t("Deleted"),
                      run: () => remove(`/webhooks/${each.id}`).then(again),
                    },
                  ]}
                />,
              ]}
            />
          ) : (
            <p className="quiet">{t("No webhooks yet")}</p>
          )
        }
      </Loaded>
      {secret && (
        <Dialog title={t("Save your signing secret")} close={() => setSecret(null)}>
          <Secret name={t("Signing secret")} value={secret} />
          <p className="quiet">{t("Use this secret to verify webhook signatures.")}</p>
        </Dialog>
      )}
      {shown && <Deliveries hook={shown} close={() => setShown(null)} />}
    </>
  );
}

/** Pause or resume what was shown: the list has no versions, so this one is read before. */
async function switched(shown: Webhook): Promise<void> {
  const path = `/webhooks/${shown.id}`;
  const known = await get<Webhook & Versioned>(path);
  if (known.enabled !== shown.enabled) throw changedElsewhere();
  try {
    await patch(path, { enabled: !shown.enabled }, known.etag);
  } catch (error) {
    throw error instanceof Problem && error.status === PRECONDITION_FAILED ? changedElsewhere() : error;
  }
}

function Deliveries({ hook, close }: { hook: Webhook; close: () => void }) {
  const found = useQuery({
    queryKey: ["/webhooks", hook.id, "deliveries"],
    queryFn: () => get(`/webhooks/${hook.id}/deliveries?limit=50`),
    refetchInterval: 2_000,
  });
  return (
    <Dialog title={t("Deliveries")} wide close={close}>
      <Loaded of={found}>
        {({ items }) =>
          items.length ? (
            <Rows
              caption={t("Deliveries")}
              head={[t("Time"), t("Event"), t("State"), t("Attempts"), t("Response"), ""]}
              items={items}
              id={(each) => each.id}
              row={(each) => [
                moment(each.created_at),
                <code>{each.type}</code>,
                <Badge state={each.state} />,
                each.attempts,
                [each.last_status, each.code || each.last_status === null ? toldOrQuoted(each) : ""].filter(Boolean).join(" · "),
                each.state === "dead" && (
                  <Action
                    run={() => post(`/webhooks/${hook.id}/deliveries/${each.id}/retry`).then(() => found.refetch())}
                    said={t("Retrying")}
                  >
                    {t("Try again")}
                  </Action>
                ),
              ]}
            />
          ) : (
            <p className="quiet">{t("No deliveries yet")}</p>
          )
        }
      </Loaded>
    </Dialog>
  );
}
