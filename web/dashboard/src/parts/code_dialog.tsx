// Where somebody types a code of the second factor: at sign-in, and in a dialog wherever it is asked for again.

import { useState } from "react";
import { t } from "../words";
import { Dialog } from "./dialog";
import { Field, Form } from "./forms";
import { useAsked } from "./second_factor";

/** A header cannot hold what is no letter or digit of ASCII, and no code has any. */
export const typedCode = (text: string | undefined): string => (text ?? "").replace(/[^A-Za-z0-9]/g, "");

export function CodeField() {
  const [isRecovery, setRecovery] = useState(false);
  return (
    <>
      {isRecovery ? (
        <Field key="recovery" name="code" label={t("Recovery code")} required autoComplete="off" />
      ) : (
        <Field
          key="app"
          name="code"
          label={t("Authentication code")}
          required
          inputMode="numeric"
          autoComplete="one-time-code"
          hint={t("6-digit code from your authenticator app")}
        />
      )}
      <div className="row">
        <button type="button" className="plain" onClick={() => setRecovery(!isRecovery)}>
          {isRecovery ? t("Use your authenticator app") : t("Use a recovery code")}
        </button>
      </div>
    </>
  );
}

export function CodeDialog() {
  const asked = useAsked();
  if (!asked) return null;
  return (
    <Dialog title={t("Two-factor authentication")} close={asked.cancel}>
      <Form action={t("Continue")} submit={({ code }) => asked.send(typedCode(code))}>
        <CodeField />
      </Form>
    </Dialog>
  );
}
