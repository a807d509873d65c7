// Who one is, and where one is signed in.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { remove } from "../api";
import { changeMe, me } from "../me";
import { Agent } from "../parts/agent";
import { EditForm, FOLLOWED_MS } from "../parts/edit_form";
import { Field, Form, Tick } from "../parts/forms";
import { More, Rows, useList } from "../parts/lists";
import { putStored } from "../parts/stored";
import { done } from "../parts/toasts";
import { Action, Badge, Loaded } from "../parts/ui";
import type { Session } from "../types_account";
import { moment, t } from "../words";
import { Leaving } from "./settings_leaving";
import { SecondFactor } from "./settings_second_factor";

export function Profile() {
  const queries = useQueryClient();
  const user = useQuery({ ...me, refetchInterval: FOLLOWED_MS }).data;
  if (!user) return null;
  const form = { of: user, path: "/users/me", queryKey: me.queryKey, send: changeMe };
  return (
    <div className="grid panels">
      <EditForm
        {...form}
        className="form sheet"
        title={t("Profile")}
        action={t("Save")}
        texts={(stored) => ({ full_name: stored.full_name ?? "" })}
        body={({ full_name }) => ({ full_name: full_name || null })}
      >
        <Field name="full_name" label={t("Full name")} maxLength={200} />
        <p className="quiet">
          {t("User ID")}: <code>{user.id}</code>
        </p>
      </EditForm>
      {user.idp === "zalo" ? (
        <p className="sheet quiet">{t("You sign in with Zalo.")}</p>
      ) : (
        <>
          <EditForm
            {...form}
            className="form sheet"
            title={t("Email")}
            action={t("Update email")}
            again
            texts={(stored) => ({ email: stored.email ?? "" })}
            body={({ email }, _, { current_password, revoke }) => ({ email, current_password, revoke: revoke === "on" })}
          >
            <Field name="email" label={t("Email")} type="email" required autoComplete="username" />
            <Field name="current_password" label={t("Current password")} type="password" required autoComplete="current-password" />
            <Tick name="revoke" label={t("Also revoke API keys and the MQTT login")} />
          </EditForm>
          <Form
            className="form sheet"
            title={t("Password")}
            action={t("Update password")}
            again
            submit={async ({ password, current_password, revoke }) => {
              const changed = await changeMe({ password, current_password, revoke: revoke === "on" });
              await putStored(queries, me.queryKey, changed);
              done(t("Saved"));
            }}
          >
            <Field name="current_password" label={t("Current password")} type="password" required autoComplete="current-password" />
            <Field
              name="password"
              label={t("New password")}
              type="password"
              required
              minLength={8}
              hint={t("You'll be signed out everywhere else.")}
              autoComplete="new-password"
            />
            <Tick name="revoke" label={t("Also revoke API keys and the MQTT login")} />
          </Form>
          <SecondFactor />
        </>
      )}
      <Leaving user={user} />
    </div>
  );
}

export function Sessions() {
  const sessions = useList<Session>("/sessions");
  return (
    <Loaded of={sessions}>
      {(items) => (
        <>
          <Rows
            caption={t("Sessions")}
            head={[t("Started"), t("Expires"), t("IP address"), t("Device/Browser"), ""]}
            items={items}
            id={(each) => each.id}
            row={(each) => [
              moment(each.created_at),
              moment(each.expires_at),
              each.address,
              <Agent agent={each.agent} />,
              each.current ? (
                <Badge state={t("This device")} tone="good" />
              ) : (
                <Action run={() => remove(`/sessions/${each.id}`).then(() => sessions.refetch())} said={t("Session ended")}>
                  {t("Sign out")}
                </Action>
              ),
            ]}
          />
          <More of={sessions} />
        </>
      )}
    </Loaded>
  );
}
