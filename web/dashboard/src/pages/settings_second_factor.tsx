// Two-factor authentication: set up with an authenticator app, recovery codes, turn off.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { call, get, post } from "../api";
import { typedCode } from "../parts/code_dialog";
import { Dialog } from "../parts/dialog";
import { Field, Form } from "../parts/forms";
import { withCode } from "../parts/second_factor";
import { done } from "../parts/toasts";
import { Action, Badge, Copy, Loaded, Secret } from "../parts/ui";
import type { SecondFactor as Factor, SecondFactorBegun } from "../types_account";
import { t } from "../words";

const PATH = "/users/me/second-factor";

const Password = () => (
  <Field name="current_password" label={t("Current password")} type="password" required autoComplete="current-password" />
);

export function SecondFactor() {
  const queries = useQueryClient();
  const factor = useQuery({ queryKey: [PATH], queryFn: () => get<Factor>(PATH) });
  const [begun, setBegun] = useState<SecondFactorBegun | null>(null);
  const [codes, setCodes] = useState<string[] | null>(null);
  const made = ({ recovery_codes }: { recovery_codes: string[] }) => {
    setBegun(null);
    setCodes(recovery_codes);
    void queries.invalidateQueries({ queryKey: [PATH] });
  };
  return (
    <Loaded of={factor}>
      {({ enabled, recovery_codes_left }) => (
        <>
          {enabled ? (
            <Form
              key="on"
              className="form sheet"
              title={t("Two-factor authentication")}
              action={t("Turn off")}
              submit={async ({ current_password }) => {
                await withCode((headers) => call("DELETE", PATH, { current_password }, headers));
                await factor.refetch();
                done(t("Two-factor authentication turned off"));
              }}
              more={
                <Action
                  ask={t("Your current recovery codes will stop working.")}
                  title={t("Create new recovery codes")}
                  run={() => withCode((headers) => post<Codes>(`${PATH}/recovery-codes`, undefined, headers)).then(made)}
                >
                  {t("Create new recovery codes")}
                </Action>
              }
            >
              <div className="row">
                <Badge state="enabled" tone="good" text={t("Enabled")} />
                <span className="quiet">{t("Recovery codes left: {n}", { n: recovery_codes_left })}</span>
              </div>
              <Password />
            </Form>
          ) : (
            <Form
              key="off"
              className="form sheet"
              title={t("Two-factor authentication")}
              action={t("Set up")}
              again
              submit={async ({ current_password }) => setBegun(await post<SecondFactorBegun>(PATH, { current_password }))}
            >
              <p className="quiet">{t("Also ask for a code from an authenticator app when you sign in.")}</p>
              <Password />
            </Form>
          )}
          {begun && <SetUp begun={begun} made={made} close={() => setBegun(null)} />}
          {codes && <RecoveryCodes codes={codes} close={() => setCodes(null)} />}
        </>
      )}
    </Loaded>
  );
}

interface Codes {
  recovery_codes: string[];
}

interface SetUpProps {
  begun: SecondFactorBegun;
  made: (codes: Codes) => void;
  close: () => void;
}

function SetUp({ begun, made, close }: SetUpProps) {
  return (
    <Dialog title={t("Set up two-factor authentication")} close={close}>
      <p>{t("Scan this QR code with your authenticator app, or enter the setup key.")}</p>
      <img className="qr" src={begun.qr} alt={t("QR code")} />
      <Secret name={t("Setup key")} value={begun.secret} />
      <Form
        action={t("Turn on")}
        submit={async ({ code }) => made(await post<Codes>(`${PATH}/confirm`, { code: typedCode(code) }))}
      >
        <Field
          name="code"
          label={t("Authentication code")}
          required
          inputMode="numeric"
          autoComplete="one-time-code"
          hint={t("You'll be signed out everywhere else.")}
        />
      </Form>
    </Dialog>
  );
}

function RecoveryCodes({ codes, close }: { codes: string[]; close: () => void }) {
  const text = codes.join("\n");
  return (
    <Dialog title={t("Save your recovery codes")} close={close}>
      <p>{t("Each code signs you in once if you lose your phone. You won't be able to see them again.")}</p>
      <pre data-testid="recovery-codes">{text}</pre>
      <div className="row">
        <Copy text={text} label={t("Copy")} />
        <a className="button" download="roost-recovery-codes.txt" href={`data:text/plain,${encodeURIComponent(`${text}\n`)}`}>
          {t("Download")}
        </a>
        <button type="button" className="primary" onClick={close}>
          {t("Done")}
        </button>
      </div>
    </Dialog>
  );
}
