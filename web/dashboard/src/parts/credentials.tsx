// How a device logs in: shown once, with a line that can be pasted into a terminal.

import { useLive, useTopic } from "../live/hooks";
import type { Feed, MqttAccess } from "../types";
import type { Listener } from "../types_account";
import { t } from "../words";
import { Copy, Secret } from "./ui";

/** A word of a POSIX shell. */
const quoted = (text: string): string => (/^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

/** Where a client connects to, as options of mosquitto's programs. */
function where(url: string | null, here: string): string[] {
  const parts = /^mqtts?:\/\/(?:\[(.+)\]|([^:/]+))(?::(\d+))?/.exec(url ?? "");
  const named = parts?.[1] ?? parts?.[2] ?? "";
  const host = ["", "0.0.0.0", "::"].includes(named) ? here : named;
  const isSafe = url?.startsWith("mqtts:") ?? false;
  const port = parts?.[3] ?? (isSafe ? "8883" : "1883");
  return ["-h", host, "-p", port, ...(isSafe ? ["--capath", "/etc/ssl/certs"] : [])];
}

export function publishLine(access: MqttAccess, key: string, here = location.hostname): string {
  const words = ["mosquitto_pub", ...where(access.url, here), "-q", "1"];
  words.push("-u", access.username, "-P", access.password, "-i", access.client_id);
  words.push("-t", `${access.topic_prefix}/feeds/${key}`, "-m", "25.5");
  return words.map(quoted).join(" ");
}

export function subscribeLine(access: Listener & { password: string }, here = location.hostname): string {
  const words = ["mosquitto_sub", ...where(access.url, here)];
  words.push("-u", access.username, "-P", access.password, "-i", `${access.client_id_prefix}1`);
  words.push("-t", `${access.topic_prefix}/#`, "-v");
  return words.map(quoted).join(" ");
}

export function Credentials({ access, feed }: { access: MqttAccess; feed: Feed | null }) {
  const line = publishLine(access, feed?.key ?? "temperature");
  return (
    <>
      <p>{t("Copy the password now. You won't be able to see it again.")}</p>
      {access.url && <Secret name={t("Broker")} value={access.url} />}
      <Secret name={t("Username")} value={access.username} />
      <Secret name={t("Password")} value={access.password} />
      <Secret name={t("Client ID")} value={access.client_id} />
      <Secret name={t("Topic prefix")} value={access.topic_prefix} />
      <h3>{t("Send a test reading")}</h3>
      <pre data-testid="publish-line">{line}</pre>
      <div className="row">
        <Copy text={line} label={t("Copy command")} />
        {feed && <First feed={feed} />}
      </div>
    </>
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
