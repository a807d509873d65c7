// Sign in, sign up, or come with Zalo.

import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { call, post } from "../api";
import { CodeField, typedCode } from "../parts/code_dialog";
import { Dialog } from "../parts/dialog";
import { Field, Form, focusFirst } from "../parts/forms";
import { needsCode } from "../parts/second_factor";
import { done, failed } from "../parts/toasts";
import { Action } from "../parts/ui";
import logo from "../roost.svg";
import { titlePage } from "../title";
import type { Site } from "../types";
import { type Language, setLanguage, t, useLanguage } from "../words";
import { beginZalo, zaloAnswer } from "./zalo";

export function Gate({ site }: { site: Site }) {
  const queries = useQueryClient();
  const language = useLanguage();
  const [isNew, setNew] = useState(false);
  const [isLost, setLost] = useState(false);
  // The password was right, and a code is missing.
  const [halfIn, setHalfIn] = useState<{ email: string; password: string } | null>(null);
  const hasAsked = useRef(false);
  useEffect(() => titlePage(isNew ? t("Create an account") : t("Sign in")));
  const enter = () => queries.invalidateQueries({ queryKey: ["me"] });

  useEffect(() => {
    const answer = hasAsked.current ? null : zaloAnswer();
    hasAsked.current = true;
    if (answer) post("/zalo-user-management/callback", answer).then(enter).catch(failed);
  });

  const signIn = (email = "", password = "", code?: string) =>
    call("POST", "/login/access-token", { email, password, code }).then(enter);

  return (
    <main className="gate">
      <div className="row">
        <img src={logo} alt="" />
        <h1>Roost</h1>
      </div>
      <p className="quiet">{t("Self-hosted IoT platform")}</p>
      {location.hash.startsWith("#/verify/") && <p role="status">{t("Sign in to verify your email address.")}</p>}
      <div className="sheet">
        <h2>{halfIn ? t("Two-factor authentication") : isNew ? t("Create an account") : t("Sign in")}</h2>
        {halfIn ? (
          <SecondStep
            signIn={(code) => signIn(halfIn.email, halfIn.password, code)}
            back={() => setHalfIn(null)}
          />
        ) : isNew ? (
          <Form
            key="new"
            action={t("Sign up")}
            submit={async ({ email, password, full_name }) => {
              await post("/users", { email, password, full_name: full_name || null });
              await signIn(email, password);
            }}
          >
            <Field name="email" label={t("Email")} type="email" required autoComplete="username" />
            <Field name="full_name" label={t("Full name")} autoComplete="name" maxLength={200} />
            <Field
              name="password"
              label={t("Password")}
              type="password"
              required
              minLength={8}
              hint={t("At least 8 characters")}
              autoComplete="new-password"
            />
          </Form>
        ) : (
          <Form
            key="known"
            action={t("Sign in")}
            submit={async ({ email = "", password = "" }) => {
              try {
                await signIn(email, password);
              } catch (error) {
                if (!needsCode(error)) throw error;
                setHalfIn({ email, password });
              }
            }}
          >
            <Field name="email" label={t("Email")} type="email" required autoComplete="username" />
            <Field name="password" label={t("Password")} type="password" required autoComplete="current-password" />
          </Form>
        )}
      </div>
      <div className="row">
        {site.zalo && (
          <Action run={() => beginZalo(site.zalo as NonNullable<Site["zalo"]>)}>{t("Sign in with Zalo")}</Action>
        )}
        {(site.signup_open || isNew) && !halfIn && (
          <button type="button" className="plain" onClick={() => setNew(!isNew)}>
            {isNew ? t("Already have an account? Sign in") : t("Create an account")}
          </button>
        )}
        <button type="button" className="plain" onClick={() => setLost(true)}>
          {t("Forgot password?")}
        </button>
        <button type="button" className="plain" onClick={() => setLanguage(language === "en" ? "vi" : ("en" as Language))}>
          {language === "en" ? "Tiếng Việt" : "English"}
        </button>
      </div>
      {isLost && !site.sends_mail && (
        <Dialog title={t("Reset password")} close={() => setLost(false)}>
          <p>{t("Email isn't set up on this server. Ask your administrator to reset your password.")}</p>
        </Dialog>
      )}
      {isLost && site.sends_mail && (
        <Dialog title={t("Reset password")} close={() => setLost(false)}>
          <p>{t("We'll email you a reset link.")}</p>
          <Form
            action={t("Send reset link")}
            submit={async ({ email }) => {
              await post("/password-reset/request", { email });
              setLost(false);
              done(t("If an account exists for this email, we've sent a reset link."));
            }}
          >
            <Field name="email" label={t("Email")} type="email" required autoComplete="username" />
          </Form>
        </Dialog>
      )}
    </main>
  );
}

function SecondStep({ signIn, back }: { signIn: (code: string) => Promise<unknown>; back: () => void }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (box.current) focusFirst(box.current);
  }, []);
  return (
    <div ref={box}>
      <Form
        action={t("Sign in")}
        submit={({ code }) => signIn(typedCode(code))}
        more={
          <button type="button" onClick={back}>
            {t("Back")}
          </button>
        }
      >
        <CodeField />
      </Form>
    </div>
  );
}
