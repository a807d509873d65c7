// Deleting a device: what goes with it, and what stays.

import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useLocation } from "wouter";
import { remove } from "../api";
import { useOpenAlarms } from "../parts/alarms";
import { Dialog } from "../parts/dialog";
import { forgetDrafts } from "../parts/drafts";
import { Form, Tick } from "../parts/forms";
import { useList } from "../parts/lists";
import { done } from "../parts/toasts";
import type { DeviceResource, Feed } from "../types";
import { t } from "../words";

export function DeleteDevice({ device }: { device: DeviceResource }) {
  const [isAsking, setAsking] = useState(false);
  const title = t("Delete {name}", { name: device.name });
  return (
    <>
      <button type="button" className="danger" aria-label={title} onClick={() => setAsking(true)}>
        {t("Delete")}
      </button>
      {isAsking && (
        <Dialog title={title} close={() => setAsking(false)}>
          <Question device={device} close={() => setAsking(false)} />
        </Dialog>
      )}
    </>
  );
}

function Question({ device, close }: { device: DeviceResource; close: () => void }) {
  const queries = useQueryClient();
  const [, go] = useLocation();
  const feeds = useList<Feed>("/feeds", { device_id: device.id, limit: 1000 });
  const alarms = useOpenAlarms({ device_id: device.id });
  return (
    <Form
      action={t("Delete device")}
      kind="danger"
      more={
        <button type="button" onClick={close}>
          {t("Cancel")}
        </button>
      }
      submit={async ({ purge }) => {
        await remove(`/devices/${device.id}${purge === "on" ? "?purge=true" : ""}`);
        forgetDrafts(`/devices/${device.id}`);
        void queries.invalidateQueries();
        done(t("Deleted"));
        go("/devices");
      }}
    >
      <ul>
        <li>{t("The device will be disconnected. Its commands and schedules will be deleted.")}</li>
        <li>
          {t("Its feeds ({n}) and their history are kept, but accept no more data. Find them under Feeds, “Without a device”.", {
            n: feeds.data?.length ?? "…",
          })}
        </li>
        <li>{t("Its alarms will be deleted ({n} open).", { n: alarms.data?.length ?? "…" })}</li>
      </ul>
      <Tick name="purge" label={t("Also delete feeds and history")} />
    </Form>
  );
}
