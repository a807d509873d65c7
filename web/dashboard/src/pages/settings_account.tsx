// Who one is, and where one is signed in.

import { useQueryClient } from "@tanstack/react-query";
import { patch, remove } from "../api";
import { Field, Form } from "../parts/forms";
import { More, Rows, useList } from "../parts/lists";
import { done } from "../parts/toasts";
import { Action, Badge, Loaded } from "../parts/ui";
import type { Session, User } from "../types";
import { moment, t } from "../words";

export function Profile() {
  const queries = useQueryClient();
  const me = queries.getQueryData<User>(["me"]) as User;
  const save = async (body: Record<string, unknown>) => {
    queries.setQueryData(["me"], await patch<User>("/users/me", body));
    done(t("Saved"));
  };
  return (
    <div className="grid">
      <Form action={t("Save")} submit={({ full_name }) => save({ full_name: full_name || null })}>
        <Field name="full_name" label={t("Your name")} value={me.full_name ?? ""} maxLength={200} />
        <p className="quiet">
          {t("User id")}: <code>{me.id}</code>
        </p>
      </Form>
      {me.idp === "zalo" ? (
        <p className="quiet">{t("You sign in with Zalo.")}</p>
      ) : (
        <>
          <Form action={t("Change the email")} submit={({ email, current_password }) => save({ email, current_password })}>
            <Field name="email" label={t("Email")} type="email" required value={me.email ?? ""} autoComplete="username" />
            <Field name="current_password" label={t("Password")} type="password" required autoComplete="current-password" />
          </Form>
          <Form
            action={t("Change the password")}
            again
            submit={({ password, current_password }) => save({ password, current_password })}
          >
            <Field name="current_password" label={t("Password")} type="password" required autoComplete="current-password" />
            <Field
              name="password"
              label={t("New password")}
              type="password"
              required
              minLength={8}
              hint={t("All other sessions end.")}
              autoComplete="new-password"
            />
          </Form>
        </>
      )}
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
            head={[t("Since"), t("Until"), t("Address"), t("Program"), ""]}
            items={items}
            id={(each) => each.id}
            row={(each) => [
              moment(each.created_at),
              moment(each.expires_at),
              each.address,
              each.agent,
              each.current ? (
                <Badge state={t("this one")} tone="good" />
              ) : (
                <Action run={() => remove(`/sessions/${each.id}`).then(() => sessions.refetch())} said={t("Session ended")}>
                  {t("End it")}
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
