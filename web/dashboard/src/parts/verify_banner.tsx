// Above every page while the address of the account is not verified, where mail is set up.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { get, post, remove } from "../api";
import { me } from "../me";
import type { Site, User } from "../types";
import { t } from "../words";
import { Action } from "./ui";

/** The address for which a link waits, or could. */
export const unconfirmed = (user: User): string | null =>
  user.email_pending ?? (user.email_verified ? null : user.email);

export function SendAgain() {
  return (
    <Action run={() => post("/email-verification/request")} said={t("We've emailed you a link.")}>
      {t("Send again")}
    </Action>
  );
}

export function VerifyBanner() {
  const queries = useQueryClient();
  const site = useQuery({ queryKey: ["site"], queryFn: () => get<Site>("/site"), staleTime: Infinity }).data;
  const user = useQuery(me).data;
  const email = user ? unconfirmed(user) : null;
  if (!site?.sends_mail || email === null) return null;
  const isNew = user?.email_pending === email;
  return (
    <div className="banner stale verify" role="status">
      <span>
        {isNew
          ? t("To use {email} from now on, open the link we emailed to it.", { email })
          : t("Verify your email address: open the link we emailed to {email}.", { email })}
      </span>
      <span className="row">
        <SendAgain />
        {isNew && (
          <Action run={() => remove("/email-verification").then(() => queries.invalidateQueries({ queryKey: me.queryKey }))}>
            {t("Keep the old email")}
          </Action>
        )}
      </span>
    </div>
  );
}
