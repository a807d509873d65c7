// Webhooks and their deliveries.

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { get, patch, post, remove } from "../api";
import { Field, Form } from "../parts/forms";
import { Rows, useList } from "../parts/lists";
import { Action, Badge, Dialog, Loaded, Secret } from "../parts/ui";
import type { Page } from "../types";
import type { Delivery, Webhook } from "../types_account";
import { moment, t } from "../words";

export function Webhooks() {
  const hooks = useList<Webhook>("/webhooks");
  const [secret, setSecret] = useState<string | null>(null);
  const [shown, setShown] = useState<Webhook | null>(null);
  const again = () => hooks.refetch();
  return (
    <>
      <p>{t("Alarms, results of commands and missed schedules, sent to an address of yours as signed JSON.")}</p>
      <Form
        className="form beside"
        action={t("Add a webhook")}
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
                <div className="row">
                  <Action run={() => post(`/webhooks/${each.id}/test`)} said={t("A test is on its way")}>
                    {t("Test")}
                  </Action>
                  <button type="button" onClick={() => setShown(each)}>
                    {t("Deliveries")}
                  </button>
                  <Action run={() => patch(`/webhooks/${each.id}`, { enabled: !each.enabled }).then(again)}>
                    {each.enabled ? t("Pause") : t("Go on")}
                  </Action>
                  <Action
                    kind="danger"
                    label={t("Delete {name}", { name: each.url })}
                    ask={t("What waits for it is dropped.")}
                    said={t("Deleted")}
                    run={() => remove(`/webhooks/${each.id}`).then(again)}
                  >
                    {t("Delete")}
                  </Action>
                </div>,
              ]}
            />
          ) : (
            <p className="quiet">{t("There are none.")}</p>
          )
        }
      </Loaded>
      {secret && (
        <Dialog title={t("Its secret is shown this once")} close={() => setSecret(null)}>
          <Secret name={t("Secret")} value={secret} />
          <p className="quiet">{t("With it the receiver checks the signature of what it gets.")}</p>
        </Dialog>
      )}
      {shown && <Deliveries hook={shown} close={() => setShown(null)} />}
    </>
  );
}

function Deliveries({ hook, close }: { hook: Webhook; close: () => void }) {
  const found = useQuery({
    queryKey: ["/webhooks", hook.id, "deliveries"],
    queryFn: () => get<Page<Delivery>>(`/webhooks/${hook.id}/deliveries?limit=50`),
    refetchInterval: 2_000,
  });
  return (
    <Dialog title={t("Deliveries")} wide close={close}>
      <Loaded of={found}>
        {({ items }) =>
          items.length ? (
            <Rows
              caption={t("Deliveries")}
              head={[t("When"), t("What"), t("State"), t("Tries"), t("Answer"), ""]}
              items={items}
              id={(each) => each.id}
              row={(each) => [
                moment(each.created_at),
                <code>{each.type}</code>,
                <Badge state={each.state} />,
                each.attempts,
                each.last_status ?? each.detail,
                each.state === "dead" && (
                  <Action
                    run={() => post(`/webhooks/${hook.id}/deliveries/${each.id}/retry`).then(() => found.refetch())}
                    said={t("Again on its way")}
                  >
                    {t("Try again")}
                  </Action>
                ),
              ]}
            />
          ) : (
            <p className="quiet">{t("Nothing was sent yet.")}</p>
          )
        }
      </Loaded>
    </Dialog>
  );
}
