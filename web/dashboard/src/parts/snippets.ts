// A first reading in the languages of those who build devices: pure, with everything filled in.

import type { MqttAccess } from "../types";

/** A broker as its clients name it. */
export interface Broker {
  host: string;
  port: string;
  isSafe: boolean;
}

/** Where a client connects to; `here` is the host of this page. */
export function brokerOf(url: string | null, here: string): Broker {
  const parts = /^mqtts?:\/\/(?:\[(.+)\]|([^:/]+))(?::(\d+))?/.exec(url ?? "");
  const named = parts?.[1] ?? parts?.[2] ?? "";
  const isSafe = url?.startsWith("mqtts:") ?? false;
  return {
    host: ["", "0.0.0.0", "::"].includes(named) ? here : named,
    port: parts?.[3] ?? (isSafe ? "8883" : "1883"),
    isSafe,
  };
}

/** A word of a POSIX shell. */
export const quoted = (text: string): string =>
  /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

/** Options of mosquitto's programs. */
export function mosquittoOptions({ host, port, isSafe }: Broker): string[] {
  return ["-h", host, "-p", port, ...(isSafe ? ["--capath", "/etc/ssl/certs"] : [])];
}

export interface Snippet {
  id: string;
  name: string;
  text: string;
}

export const TEST_VALUE = "25.5";

/** Where a device posts a reading, below the API. */
export const postPath = (key: string): string => `/ingest/feeds/${key}`;

/** `origin` is that of this page. */
export function snippets(access: MqttAccess, key: string, origin: string): Snippet[] {
  const broker = brokerOf(access.url, new URL(origin).hostname.replace(/^\[|\]$/g, ""));
  const topic = `${access.topic_prefix}/feeds/${key}`;
  return [
    { id: "mosquitto", name: "mosquitto", text: mosquitto(access, broker, topic) },
    { id: "python", name: "Python", text: python(access, broker, topic) },
    { id: "arduino", name: "ESP32 / Arduino", text: arduino(access, broker, topic) },
    { id: "node", name: "Node.js", text: node(access, broker, topic) },
    { id: "curl", name: "curl", text: curl(access, key, origin) },
  ];
}

function mosquitto(access: MqttAccess, broker: Broker, topic: string): string {
  const words = ["mosquitto_pub", ...mosquittoOptions(broker), "-q", "1"];
  words.push("-u", access.username, "-P", access.password, "-i", access.client_id);
  words.push("-t", topic, "-m", TEST_VALUE);
  return words.map(quoted).join(" ");
}

const text = JSON.stringify;

function python(access: MqttAccess, { host, port, isSafe }: Broker, topic: string): string {
  return `# pip install paho-mqtt
import paho.mqtt.publish as publish

publish.single(
    ${text(topic)},
    ${text(TEST_VALUE)},
    qos=1,
    hostname=${text(host)},
    port=${port},
    client_id=${text(access.client_id)},
    auth={"username": ${text(access.username)}, "password": ${text(access.password)}},${isSafe ? "\n    tls={}," : ""}
)
`;
}

function node(access: MqttAccess, { host, port, isSafe }: Broker, topic: string): string {
  const named = host.includes(":") ? `[${host}]` : host;
  return `// npm install mqtt
const mqtt = require("mqtt");

const client = mqtt.connect(${text(`${isSafe ? "mqtts" : "mqtt"}://${named}:${port}`)}, {
  clientId: ${text(access.client_id)},
  username: ${text(access.username)},
  password: ${text(access.password)},
});
client.on("error", (error) => console.error(error.message));
client.on("connect", () => {
  client.publish(${text(topic)}, ${text(TEST_VALUE)}, { qos: 1 }, () => client.end());
});
`;
}

function curl(access: MqttAccess, key: string, origin: string): string {
  const words = ["curl", "-u", `${access.username}:${access.password}`, `${origin}/api/v1${postPath(key)}`, "-d", TEST_VALUE];
  return words.map(quoted).join(" ");
}

// A board cannot reach the computer that it is programmed on by these names.
const ITSELF = /^(localhost|127\..*|::1)$/;

function arduino(access: MqttAccess, { host, port, isSafe }: Broker, topic: string): string {
  const note = ITSELF.test(host) ? "  // not localhost: an address of this computer in your network" : "";
  return `// Library Manager: "MQTT" by Joël Gähwiler. On an ESP8266 include <ESP8266WiFi.h> instead of <WiFi.h>.
#include <WiFi.h>
${isSafe ? "#include <WiFiClientSecure.h>\n" : ""}#include <MQTTClient.h>

${isSafe ? "WiFiClientSecure" : "WiFiClient"} net;
MQTTClient mqtt(512);  // the topic alone has more than the usual 128 bytes

void setup() {
  WiFi.begin("YOUR_WIFI", "YOUR_WIFI_PASSWORD");
${isSafe ? "  net.setCACert(\"\");  // the certificate of your server's authority, in PEM\n" : ""}  mqtt.begin(${text(host)}, ${port}, net);${note}
}

void loop() {
  if (WiFi.status() != WL_CONNECTED ||
      (!mqtt.connected() && !mqtt.connect(${text(access.client_id)}, ${text(access.username)}, ${text(access.password)}))) {
    delay(1000);
    return;
  }
  mqtt.loop();
  static unsigned long sent = 0;
  if (sent == 0 || millis() - sent > 60000) {  // once a minute
    mqtt.publish(${text(topic)}, ${text(TEST_VALUE)}, false, 1);
    sent = millis();
  }
  delay(10);
}
`;
}

/** What a file of the credentials has: everything that a client needs. */
export function credentialsFile(access: MqttAccess, origin: string): string {
  const { host, port, isSafe } = brokerOf(access.url, new URL(origin).hostname);
  const { username, password, client_id, topic_prefix } = access;
  const mqtt = { host, port: Number(port), tls: isSafe, username, password, client_id, topic_prefix };
  return `${JSON.stringify({ mqtt, http: { url: `${origin}/api/v1/ingest`, username, password } }, null, 2)}\n`;
}
