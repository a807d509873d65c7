// Where the link of a mail leads: whoever is signed in verifies the address of the account.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { go } from "../address";
import { me, verifyEmail } from "../me";
import { inWords } from "../parts/toasts";
import { putStored } from "../parts/stored";
import { Action, Heading } from "../parts/ui";
import { SendAgain, unconfirmed } from "../parts/verify_banner";
import { t } from "../words";

export default function VerifyPage({ token }: { token: string }) {
  const queries = useQueryClient();
  const user = useQuery(me).data;
  const [verified, setVerified] = useState<string | null>(null);
  const [problem, setProblem] = useState<unknown>(null);
  if (!user) return null;
  const email = unconfirmed(user);

  async function verify(): Promise<void> {
    try {
      const changed = await verifyEmail(token);
      setVerified(changed.email);
      await putStored(queries, me.queryKey, changed);
      setProblem(null);
    } catch (error) {
      setProblem(error);
    }
  }

  return (
    <>
      <Heading title={t("Verify your email address")} />
      {email === null || verified !== null ? (
        <>
          <p role="status">{t("The email address {email} is verified.", { email: verified ?? user.email ?? "" })}</p>
          <button type="button" onClick={() => go("/")}>
            {t("Go to overview")}
          </button>
        </>
      ) : (
        <>
          <p>{t("Is {email} your email address?", { email })}</p>
          {problem !== null && (
            <p className="problem" role="alert">
              {inWords(problem)}
            </p>
          )}
          <div className="row">
            <Action kind="primary" run={verify}>
              {t("Verify {email}", { email })}
            </Action>
            {problem !== null && <SendAgain />}
          </div>
        </>
      )}
    </>
  );
}
