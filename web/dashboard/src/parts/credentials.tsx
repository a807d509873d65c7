// How a device logs in: shown once, with a button and lines that send a first reading.

import { useRef, useState } from "react";
import { postAs, saveAs } from "../api";
import { useLive, useTopic } from "../live/hooks";
import type { Feed, MqttAccess } from "../types";
import type { Listener } from "../types_account";
import { reasonWord, t } from "../words";
import { LeaveQuestion, useShownOnce } from "./shown_once";
import { TEST_VALUE, brokerOf, credentialsFile, mosquittoOptions, postPath, quoted, snippets } from "./snippets";
import { Tabs } from "./tabs";
import { Action, Copy, Secret } from "./ui";

export function subscribeLine(access: Listener & { password: string }, here = location.hostname): string {
  const words = ["mosquitto_sub", ...mosquittoOptions(brokerOf(access.url, here))];
  words.push("-u", access.username, "-P", access.password, "-i", `${access.client_id_prefix}1`);
  words.push("-t", `${access.topic_prefix}/#`, "-v");
  return words.map(quoted).join(" ");
}

/** `code` names the file; `leave` closes what it stands in. */
export function Credentials({ access, feed, code, leave }: { access: MqttAccess; feed: Feed | null; code: string; leave: () => void }) {
  const box = useRef<HTMLDivElement>(null);
  const [isSaved, setSaved] = useState(false);
  const [isAsking, setAsking] = useState(false);
  useShownOnce(box, !isSaved, () => setAsking(true));
  const key = feed?.key ?? "temperature";
  const lines = snippets(access, key, location.origin);
  const [shown, setShown] = useState(lines[0]?.id ?? "");
  const text = lines.find(({ id }) => id === shown)?.text ?? "";
  async function send(): Promise<void> {
    const reason = await postAs(access, postPath(key), TEST_VALUE);
    if (reason !== null) throw new Error(t("Rejected: {reason}", { reason: reasonWord(reason) }));
  }
  function save(): void {
    saveAs(credentialsFile(access, location.origin), `roost-${code}.json`, "application/json");
    setSaved(true);
    setAsking(false);
  }
  return (
    <div ref={box}>
      {isAsking && <LeaveQuestion save={save} leave={leave} stay={() => setAsking(false)} />}
      <p>{t("Copy the password now. You won't be able to see it again.")}</p>
      {access.url && <Secret name={t("Broker")} value={access.url} />}
      {access.ws_url && <Secret name={t("MQTT over WebSocket")} value={access.ws_url} />}
      <Secret name={t("Username")} value={access.username} />
      <Secret name={t("Password")} value={access.password} copied={() => setSaved(true)} />
      <Secret name={t("Client ID")} value={access.client_id} />
      <Secret name={t("Topic prefix")} value={access.topic_prefix} />
      {access.version === "3.1.1" && <p className="quiet">{t("This broker speaks MQTT 3.1.1 only. Choose that version on the device.")}</p>}
      <div className="row">
        <button type="button" onClick={save}>
          {t("Download credentials")}
        </button>
      </div>
      <h3>{t("First reading")}</h3>
      {feed && (
        <div className="row">
          <Action kind="primary" run={send}>
            {t("Send a test reading")}
          </Action>
          <First feed={feed} />
        </div>
      )}
      <Tabs label={t("Send it from your device")} tabs={lines.map(({ id, name }) => [id, name])} value={shown} onChange={setShown}>
        <pre data-testid="publish-line" data-snippet={shown}>
          {text}
        </pre>
        <Copy text={text} label={t("Copy")} />
      </Tabs>
    </div>
  );
}

function First({ feed }: { feed: Feed }) {
  const live = useLive();
  useTopic(`feed:${feed.id}`);
  const said = live.values.get(feed.id);
  return (
    <span role="status" className={said ? "badge good" : "badge calm"}>
      {said ? t("Received: {value}", { value: String(said.value) }) : t("Waiting for data…")}
    </span>
  );
}
