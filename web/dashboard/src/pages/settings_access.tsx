// Access for programs: API keys, and the read-only MQTT login.

import { useQuery } from "@tanstack/react-query";
import { Trash2 } from "lucide-react";
import { useState } from "react";
import { Problem, get, post, remove } from "../api";
import { subscribeLine } from "../parts/credentials";
import { Dialog } from "../parts/dialog";
import { Field, Form, Tick } from "../parts/forms";
import { Rows, useList } from "../parts/lists";
import { Action, Copy, Empty, Loaded, RowMenu, Secret } from "../parts/ui";
import type { ApiKey, Listener } from "../types_account";
import { moment, t, word } from "../words";

export function Keys() {
  const keys = useList<ApiKey>("/api-keys");
  const [made, setMade] = useState<string | null>(null);
  return (
    <>
      <p>{t("Use API keys to access Roost from scripts. Keys can't change account settings.")}</p>
      <Form
        className="form beside"
        action={t("Create API key")}
        again
        submit={async ({ name, scope }) => {
          setMade((await post<{ key: string }>("/api-keys", { name, scope })).key);
          void keys.refetch();
        }}
      >
        <Field name="name" label={t("Name")} required maxLength={200} />
        <Field
          name="scope"
          label={t("Permissions")}
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
              head={[t("Name"), t("Prefix"), t("Permissions"), t("Last used"), ""]}
              items={items}
              id={(each) => each.id}
              row={(each) => [
                each.name,
                <code>{each.prefix}</code>,
                word(each.scope),
                each.last_used_at ? moment(each.last_used_at) : t("Never"),
                <RowMenu
                  key="menu"
                  of={each.name}
                  actions={[
                    {
                      name: t("Delete"),
                      icon: Trash2,
                      kind: "danger",
                      title: t("Delete {name}", { name: each.name }),
                      ask: t("Apps using this key will lose access immediately."),
                      said: t("Deleted"),
                      run: () => remove(`/api-keys/${each.id}`).then(() => keys.refetch()),
                    },
                  ]}
                />,
              ]}
            />
          ) : (
            <p className="quiet">{t("No API keys yet")}</p>
          )
        }
      </Loaded>
      {made && (
        <Dialog title={t("Save your API key")} close={() => setMade(null)}>
          <Secret name={t("API key")} value={made} />
        </Dialog>
      )}
    </>
  );
}

type ListenerAccess = Listener & { password: string; mosquitto_bridge: string | null };

export function MqttListener() {
  const [made, setMade] = useState<ListenerAccess | null>(null);
  const listener = useQuery({
    queryKey: ["/mqtt-listener"],
    queryFn: () =>
      get("/mqtt-listener").catch((error: unknown) => {
        if (error instanceof Problem && error.status === 404) return null;
        throw error;
      }),
  });
  return (
    <>
      <p>{t("Read your devices' data from Home Assistant, Node-RED or mosquitto_sub. Topics begin with live/.")}</p>
      <Loaded of={listener}>
        {(found) => (
          <>
            {found ? (
              <dl className="facts">
                <dt>{t("Username")}</dt>
                <dd>
                  <code>{found.username}</code>
                </dd>
                <dt>{t("Client ID prefix")}</dt>
                <dd>
                  <code>{found.client_id_prefix}</code>
                </dd>
                <dt>{t("Topic prefix")}</dt>
                <dd>
                  <code>{found.topic_prefix}</code>
                </dd>
                {found.discovery_prefix && (
                  <>
                    <dt>{t("Home Assistant discovery prefix")}</dt>
                    <dd>
                      <code>{found.discovery_prefix}</code>
                    </dd>
                  </>
                )}
                <dt>{t("Created")}</dt>
                <dd>{moment(found.created_at)}</dd>
              </dl>
            ) : (
              <Empty title={t("Not set up")} />
            )}
            <ListenerForm
              found={found}
              made={(access) => {
                setMade(access);
                void listener.refetch();
              }}
              gone={() => listener.refetch()}
            />
          </>
        )}
      </Loaded>
      {made && (
        <Dialog title={t("Save your password")} wide close={() => setMade(null)}>
          <Secret name={t("Username")} value={made.username} />
          <Secret name={t("Password")} value={made.password} />
          <pre data-testid="subscribe-line">{subscribeLine(made)}</pre>
          <Copy text={subscribeLine(made)} label={t("Copy command")} />
          {made.mosquitto_bridge && (
            <>
              <h3>{t("For Home Assistant and other MQTT 5 clients")}</h3>
              <p>{t("Add these lines to the configuration of your Mosquitto, and connect the clients to it.")}</p>
              <pre data-testid="bridge-lines">{made.mosquitto_bridge}</pre>
              <Copy text={made.mosquitto_bridge} label={t("Copy lines")} />
            </>
          )}
        </Dialog>
      )}
    </>
  );
}

/** New credentials are asked for twice where somebody may be connected with the old ones. */
function ListenerForm({ found, made, gone }: { found: Listener | null; made: (access: ListenerAccess) => void; gone: () => unknown }) {
  const [wanted, setWanted] = useState<boolean | null>(null);
  const make = async (home_assistant: boolean) => made(await post<ListenerAccess>("/mqtt-listener", { home_assistant }));
  return (
    <>
      <Form
        action={found ? t("Regenerate credentials") : t("Create credentials")}
        submit={async ({ home_assistant }) => (found ? setWanted(home_assistant === "on") : make(home_assistant === "on"))}
        more={
          found && (
            <Action
              kind="danger"
              label={t("Delete credentials")}
              ask={t("Connected clients will be disconnected.")}
              said={t("Deleted")}
              run={() => remove("/mqtt-listener").then(gone)}
            >
              {t("Delete")}
            </Action>
          )
        }
      >
        <Tick name="home_assistant" label={t("Home Assistant MQTT discovery")} checked={found?.home_assistant} />
      </Form>
      {wanted !== null && (
        <Dialog title={t("Regenerate credentials")} close={() => setWanted(null)}>
          <p>{t("Connected clients will be disconnected, and the current password will stop working.")}</p>
          <Form
            action={t("Regenerate credentials")}
            more={
              <button type="button" onClick={() => setWanted(null)}>
                {t("Cancel")}
              </button>
            }
            submit={async () => {
              await make(wanted);
              setWanted(null);
            }}
          >
            {null}
          </Form>
        </Dialog>
      )}
    </>
  );
}
