// How a device logs in: shown once, with a line that can be pasted into a terminal.

import { useLive, useTopic } from "../live/hooks";
import type { Feed, MqttAccess } from "../types";
import { t } from "../words";
import { Copy, Secret } from "./ui";

/** A word of a POSIX shell. */
const quoted = (text: string): string => (/^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

export function publishLine(access: MqttAccess, key: string, here = location.hostname): string {
  const url = /^mqtts?:\/\/(?:\[(.+)\]|([^:/]+))(?::(\d+))?/.exec(access.url ?? "");
  const named = url?.[1] ?? url?.[2] ?? "";
  const host = ["", "0.0.0.0", "::"].includes(named) ? here : named;
  const isSafe = access.url?.startsWith("mqtts:") ?? false;
  const words = ["mosquitto_pub", "-h", host, "-p", url?.[3] ?? (isSafe ? "8883" : "1883"), "-q", "1"];
  if (isSafe) words.push("--capath", "/etc/ssl/certs");
  words.push("-u", access.username, "-P", access.password, "-i", access.client_id);
  words.push("-t", `${access.topic_prefix}/feeds/${key}`, "-m", "25.5");
  return words.map(quoted).join(" ");
}

export function Credentials({ access, feed }: { access: MqttAccess; feed: Feed | null }) {
  const line = publishLine(access, feed?.key ?? "temperature");
  return (
    <>
      <p>{t("The password is shown this once. Keep it now; later you can only make a new one.")}</p>
      {access.url && <Secret name={t("Broker")} value={access.url} />}
      <Secret name={t("User name")} value={access.username} />
      <Secret name={t("Password")} value={access.password} />
      <Secret name={t("Client id")} value={access.client_id} />
      <Secret name={t("Topics begin")} value={access.topic_prefix} />
      <h3>{t("Publish a first reading")}</h3>
      <pre data-testid="publish-line">{line}</pre>
      <div className="row">
        <Copy text={line} label={t("Copy the line")} />
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
      {said ? t("It came: {value}", { value: String(said.value) }) : t("Waiting for it …")}
    </span>
  );
}
