// Taking one's data along, and deleting the account.

import { useState } from "react";
import { apiPath, call } from "../api";
import { Field, Form } from "../parts/forms";
import { Dialog } from "../parts/ui";
import type { User } from "../types";
import { t } from "../words";

export function Leaving({ user }: { user: User }) {
  const [isAsking, setAsking] = useState(false);
  const close = () => setAsking(false);
  return (
    <section>
      <h2>{t("Your data")}</h2>
      <p>
        <a href={apiPath("/users/me/export")} download="roost.zip">
          {t("Export my data")}
        </a>
      </p>
      <p className="quiet">{t("A ZIP file with your devices, readings, media and activity log.")}</p>
      {user.idp === "zalo" ? (
        <p className="quiet">{t("To delete this account, ask your administrator.")}</p>
      ) : (
        <button type="button" className="danger" onClick={() => setAsking(true)}>
          {t("Delete account")}
        </button>
      )}
      {isAsking && (
        <Dialog title={t("Delete account")} close={close}>
          <Question close={close} />
        </Dialog>
      )}
    </section>
  );
}

function Question({ close }: { close: () => void }) {
  return (
    <Form
      action={t("Delete account")}
      more={
        <button type="button" onClick={close}>
          {t("Cancel")}
        </button>
      }
      submit={async ({ password }) => {
        await call("DELETE", "/users/me", { password });
        location.assign("/");
      }}
    >
      <ul>
        <li>{t("Your devices will be disconnected and deleted, with their feeds and history.")}</li>
        <li>{t("Media, schedules, products, orders, webhooks and API keys will be deleted.")}</li>
        <li>{t("You'll be signed out everywhere.")}</li>
      </ul>
      <p>{t("This can't be undone.")}</p>
      <Field name="password" label={t("Current password")} type="password" required autoComplete="current-password" />
    </Form>
  );
}
