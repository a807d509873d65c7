// Lines that people paste: everything is filled in, and nothing in it ends a string early.

import { expect, test } from "vitest";
import { brokerOf, credentialsFile, snippets } from "../src/parts/snippets";
import type { MqttAccess } from "../src/types";

const access: MqttAccess = {
  username: "device-1",
  password: "s3cret-_",
  client_id: "device-1",
  topic_prefix: "users/u/devices/shed",
  url: "mqtt://0.0.0.0:1883",
  ws_url: null,
  version: null,
};
const ORIGIN = "https://roost.example";
const of = (id: string, given: Partial<MqttAccess> = {}, origin = ORIGIN): string =>
  snippets({ ...access, ...given }, "temperature", origin).find((each) => each.id === id)?.text ?? "";

test.each(["mosquitto", "python", "arduino", "node"])("%s knows the broker, the login and the topic", (id) => {
  for (const said of ["roost.example", "1883", "device-1", "s3cret-_", "users/u/devices/shed/feeds/temperature", "25.5"])
    expect(of(id)).toContain(said);
});

test("a broker that listens everywhere is where this page is; a named one is itself", () => {
  expect(brokerOf("mqtt://0.0.0.0:1884", "here")).toEqual({ host: "here", port: "1884", isSafe: false });
  expect(brokerOf("mqtts://mq.example", "here")).toEqual({ host: "mq.example", port: "8883", isSafe: true });
  expect(brokerOf("mqtt://[::1]:1883", "here").host).toBe("::1");
  expect(brokerOf(null, "here")).toEqual({ host: "here", port: "1883", isSafe: false });
});

test("an encrypted broker is reached encrypted", () => {
  const url = "mqtts://mq.example:8883";
  expect(of("mosquitto", { url })).toContain("--capath");
  expect(of("python", { url })).toContain("tls={}");
  expect(of("node", { url })).toContain('"mqtts://mq.example:8883"');
  expect(of("arduino", { url })).toContain("WiFiClientSecure net;");
});

test("curl posts to where this page is", () => {
  expect(of("curl")).toBe("curl -u device-1:s3cret-_ https://roost.example/api/v1/ingest/feeds/temperature -d 25.5");
});

test("a word that a shell would read is quoted", () => {
  expect(of("mosquitto", { password: "it's $HOME" })).toContain(`-P 'it'\\''s $HOME'`);
  expect(of("curl", { password: "a b" })).toContain("'device-1:a b'");
});

test("a board is told that it cannot reach localhost", () => {
  expect(of("arduino", { url: null }, "http://localhost:8000")).toContain("not localhost");
  expect(of("arduino")).not.toContain("not localhost");
});

test("the file has what every client needs, and is JSON", () => {
  const { mqtt, http } = JSON.parse(credentialsFile(access, ORIGIN));
  expect(mqtt).toEqual({
    host: "roost.example", port: 1883, tls: false, username: "device-1", password: "s3cret-_",
    client_id: "device-1", topic_prefix: "users/u/devices/shed",
  });
  expect(http).toEqual({ url: "https://roost.example/api/v1/ingest", username: "device-1", password: "s3cret-_" });
});
