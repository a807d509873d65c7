// The feeds of a device, with their last values.

import { useState } from "react";
import { post } from "../api";
import { Dialog } from "../parts/dialog";
import { FeedTable } from "../parts/feed_table";
import { Field, Form, numberOf } from "../parts/forms";
import { More, useList } from "../parts/lists";
import { Empty, Loaded } from "../parts/ui";
import type { DeviceResource, Feed } from "../types";
import { t } from "../words";

export function Feeds({ device }: { device: DeviceResource }) {
  const feeds = useList<Feed>("/feeds", { device_id: device.id });
  const [adding, setAdding] = useState(false);
  return (
    <section className="sheet">
      <div className="row apart">
        <h2>{t("Feeds")}</h2>
        <button type="button" onClick={() => setAdding(true)}>
          {t("Add feed")}
        </button>
      </div>
      <Loaded of={feeds}>
        {(items) =>
          items.length ? (
            <FeedTable items={items} />
          ) : (
            <Empty title={t("No feeds yet")}>
              <p>{t("A feed stores the values sent to one topic, e.g. …/feeds/temperature. Values for unknown feeds are rejected.")}</p>
            </Empty>
          )
        }
      </Loaded>
      <More of={feeds} />
      {adding && (
        <Dialog title={t("Add feed")} close={() => setAdding(false)}>
          <FeedForm
            deviceId={device.id}
            made={() => {
              setAdding(false);
              void feeds.refetch();
            }}
          />
        </Dialog>
      )}
    </section>
  );
}

function FeedForm({ deviceId, made }: { deviceId: string; made: () => void }) {
  const [kind, setKind] = useState("number");
  return (
    <Form
      action={t("Add feed")}
      submit={async (values) => {
        await post("/feeds", {
          device_id: deviceId,
          key: values.key,
          name: values.name || values.key,
          kind: values.kind,
          unit: values.unit || null,
          min_value: numberOf(values.min_value),
          max_value: numberOf(values.max_value),
          on_violation: values.on_violation ?? "flag",
        });
        made();
      }}
    >
      <Field name="key" label={t("Key")} required pattern="[a-z0-9_\-]+" maxLength={64} placeholder="temperature" />
      <Field name="name" label={t("Name")} maxLength={200} />
      <Field
        name="kind"
        label={t("Type")}
        required
        onChange={setKind}
        options={[
          ["number", t("Number")],
          ["text", t("Text")],
          ["bool", t("Boolean (on/off)")],
        ]}
      />
      <Field name="unit" label={t("Unit")} maxLength={16} placeholder="°C" />
      {kind === "number" && (
        <>
          <Field name="min_value" label={t("Minimum")} type="number" step="any" />
          <Field name="max_value" label={t("Maximum")} type="number" step="any" />
          <Field
            name="on_violation"
            label={t("Out-of-range values")}
            required
            value="flag"
            options={[
              ["reject", t("Reject")],
              ["flag", t("Keep and flag")],
            ]}
          />
        </>
      )}
    </Form>
  );
}
