// The account: who one is, where one is signed in, and who may act or listen for one.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Problem, get, patch, post, remove } from "../api";
import { Field, Form, Tick } from "../parts/forms";
import { More, Rows, useList } from "../parts/lists";
import { done } from "../parts/toasts";
import { Action, Badge, Dialog, Empty, Heading, Loaded, Secret } from "../parts/ui";
import type { ApiKey, AuditEntry, Delivery, Listener, Page, Session, User, Webhook } from "../types";
import { moment, t, word } from "../words";

const TABS: [string, string, () => React.ReactNode][] = [
  ["profile", "Profile", () => <Profile />],
  ["sessions", "Sessions", () => <Sessions />],
  ["keys", "API keys", () => <Keys />],
  ["webhooks", "Webhooks", () => <Webhooks />],
  ["listener", "MQTT listener", () => <MqttListener />],
  ["audit", "What happened", () => <Audit />],
];

export default function SettingsPage() {
  const [tab, setTab] = useState("profile");
  const [, , shown] = TABS.find(([name]) => name === tab) ?? (TABS[0] as (typeof TABS)[number]);
  return (
    <>
      <Heading title={t("Settings")} />
      <div className="tabs">
        {TABS.map(([name, title]) => (
          <button key={name} type="button" aria-pressed={tab === name} onClick={() => setTab(name)}>
            {t(title)}
          </button>
        ))}
      </div>
      <section className="sheet">{shown()}</section>
    </>
  );
}

function Profile() {
  const queries = useQueryClient();
  const me = queries.getQueryData<User>(["me"]) as User;
  const save = async (body: Record<string, unknown>) => {
    queries.setQueryData(["me"], await patch<User>("/users/me", body));
    done(t("Saved"));
  };
  return (
    <div className="grid">
      <Form action={t("Save")} submit={({ full_name }) => save({ full_name: full_name || null })}>
        <Field name="full_name" label={t("Your name")} value={me.full_name ?? ""} maxLength={200} />
        <p className="quiet">
          {t("User id")}: <code>{me.id}</code>
        </p>
      </Form>
      {me.idp === "zalo" ? (
        <p className="quiet">{t("You sign in with Zalo.")}</p>
      ) : (
        <>
          <Form action={t("Change the email")} submit={({ email, current_password }) => save({ email, current_password })}>
            <Field name="email" label={t("Email")} type="email" required value={me.email ?? ""} autoComplete="username" />
            <Field name="current_password" label={t("Password")} type="password" required autoComplete="current-password" />
          </Form>
          <Form
            action={t("Change the password")}
            again
            submit={({ password, current_password }) => save({ password, current_password })}
          >
            <Field name="current_password" label={t("Password")} type="password" required autoComplete="current-password" />
            <Field
              name="password"
              label={t("New password")}
              type="password"
              required
              minLength={8}
              hint={t("All other sessions end.")}
              autoComplete="new-password"
            />
          </Form>
        </>
      )}
    </div>
  );
}

function Sessions() {
  const sessions = useList<Session>("/sessions");
  return (
    <Loaded of={sessions}>
      {(items) => (
        <>
          <Rows
            caption={t("Sessions")}
            head={[t("Since"), t("Until"), t("Address"), t("Program"), ""]}
            items={items}
            id={(each) => each.id}
            row={(each) => [
              moment(each.created_at),
              moment(each.expires_at),
              each.address,
              each.agent,
              each.current ? (
                <Badge state={t("this one")} tone="good" />
              ) : (
                <Action run={() => remove(`/sessions/${each.id}`).then(() => sessions.refetch())} said={t("Session ended")}>
                  {t("End it")}
                </Action>
              ),
            ]}
          />
          <More of={sessions} />
        </>
      )}
    </Loaded>
  );
}

function Keys() {
  const keys = useList<ApiKey>("/api-keys");
  const [made, setMade] = useState<string | null>(null);
  return (
    <>
      <p>{t("For programs that act for you. A key may not touch the account itself.")}</p>
      <Form
        className="form beside"
        action={t("Make a key")}
        again
        submit={async ({ name, scope }) => {
          setMade((await post<{ key: string }>("/api-keys", { name, scope })).key);
          void keys.refetch();
        }}
      >
        <Field name="name" label={t("Name")} required maxLength={200} />
        <Field
          name="scope"
          label={t("It may")}
          required
          options={[
            ["read", t("Read only")],
            ["write", t("Read and write")],
          ]}
        />
      </Form>
      <Loaded of={keys}>
        {(items) =>
          items.length ? (
            <Rows
              caption={t("API keys")}
              head={[t("Name"), t("Begins with"), t("It may"), t("Last used"), ""]}
              items={items}
              id={(each) => each.id}
              row={(each) => [
                each.name,
                <code>{each.prefix}</code>,
                word(each.scope),
                each.last_used_at ? moment(each.last_used_at) : t("never"),
                <Action
                  kind="danger"
                  label={t("Delete {name}", { name: each.name })}
                  ask={t("Programs that use it are locked out at once.")}
                  said={t("Deleted")}
                  run={() => remove(`/api-keys/${each.id}`).then(() => keys.refetch())}
                >
                  {t("Delete")}
                </Action>,
              ]}
            />
          ) : (
            <p className="quiet">{t("There are none.")}</p>
          )
        }
      </Loaded>
      {made && (
        <Dialog title={t("The key is shown this once")} close={() => setMade(null)}>
          <Secret name={t("Key")} value={made} />
        </Dialog>
      )}
    </>
  );
}

function Webhooks() {
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

function MqttListener() {
  const [made, setMade] = useState<(Listener & { password: string }) | null>(null);
  const listener = useQuery({
    queryKey: ["/mqtt-listener"],
    queryFn: () =>
      get<Listener>("/mqtt-listener").catch((error: unknown) => {
        if (error instanceof Problem && error.status === 404) return null;
        throw error;
      }),
  });
  return (
    <>
      <p>{t("A read-only MQTT login for Home Assistant, Node-RED or mosquitto_sub: it sees what your devices said, below live/….")}</p>
      <Loaded of={listener}>
        {(found) => (
          <>
            {found ? (
              <dl className="facts">
                <dt>{t("User name")}</dt>
                <dd>
                  <code>{found.username}</code>
                </dd>
                <dt>{t("Client ids begin")}</dt>
                <dd>
                  <code>{found.client_id_prefix}</code>
                </dd>
                <dt>{t("Topics begin")}</dt>
                <dd>
                  <code>{found.topic_prefix}</code>
                </dd>
                {found.discovery_prefix && (
                  <>
                    <dt>{t("Discovery prefix of Home Assistant")}</dt>
                    <dd>
                      <code>{found.discovery_prefix}</code>
                    </dd>
                  </>
                )}
                <dt>{t("Since")}</dt>
                <dd>{moment(found.created_at)}</dd>
              </dl>
            ) : (
              <Empty title={t("There is no listener yet.")} />
            )}
            <Form
              action={found ? t("New credentials") : t("Make a listener")}
              submit={async ({ home_assistant }) => {
                setMade(await post("/mqtt-listener", { home_assistant: home_assistant === "on" }));
                void listener.refetch();
              }}
              more={
                found && (
                  <Action
                    kind="danger"
                    label={t("Delete the listener")}
                    ask={t("Whoever listens is disconnected.")}
                    said={t("Deleted")}
                    run={() => remove("/mqtt-listener").then(() => listener.refetch())}
                  >
                    {t("Delete")}
                  </Action>
                )
              }
            >
              <Tick name="home_assistant" label={t("Documents for Home Assistant's discovery")} checked={found?.home_assistant} />
            </Form>
          </>
        )}
      </Loaded>
      {made && (
        <Dialog title={t("The password is shown this once")} wide close={() => setMade(null)}>
          <Secret name={t("User name")} value={made.username} />
          <Secret name={t("Password")} value={made.password} />
          <pre>{`mosquitto_sub -u ${made.username} -P ${made.password} -i ${made.client_id_prefix}1 -t '${made.topic_prefix}/#' -v`}</pre>
        </Dialog>
      )}
    </>
  );
}

function Audit() {
  const entries = useList<AuditEntry>("/audit-log");
  return (
    <Loaded of={entries}>
      {(items) => (
        <>
          <Rows
            caption={t("What happened")}
            head={[t("When"), t("What"), t("Which"), t("Address"), t("Program")]}
            items={items}
            id={(each) => each.at + each.action + each.subject}
            row={(each) => [moment(each.at), word(each.action), each.subject, each.address, each.agent]}
          />
          <More of={entries} />
        </>
      )}
    </Loaded>
  );
}
