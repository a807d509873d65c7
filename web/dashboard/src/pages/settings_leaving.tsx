// Taking one's data along, and deleting the account.

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { apiPath, call, download, get } from "../api";
import { Dialog } from "../parts/dialog";
import { Field, Form } from "../parts/forms";
import { withCode } from "../parts/second_factor";
import { Action } from "../parts/ui";
import type { User } from "../types";
import type { SecondFactor } from "../types_account";
import { t } from "../words";

export function Leaving({ user }: { user: User }) {
  const [isAsking, setAsking] = useState(false);
  const close = () => setAsking(false);
  return (
    <section className="sheet">
      <h2>{t("Your data")}</h2>
      <p>
        <Export />
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

/** A link, which the browser saves as it comes; where a code is asked for, a link cannot carry it. */
function Export() {
  const path = "/users/me/second-factor";
  const factor = useQuery({ queryKey: [path], queryFn: () => get<SecondFactor>(path) });
  if (factor.data?.enabled)
    return (
      <Action run={() => withCode((headers) => download("/users/me/export", "roost.zip", headers))}>
        {t("Export my data")}
      </Action>
    );
  return (
    <a href={apiPath("/users/me/export")} download="roost.zip">
      {t("Export my data")}
    </a>
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
        await withCode((headers) => call("DELETE", "/users/me", { password }, headers));
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
