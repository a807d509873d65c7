// What was done to the account.

import { Agent } from "../parts/agent";
import { More, Rows, useList } from "../parts/lists";
import { Loaded } from "../parts/ui";
import type { AuditEntry } from "../types_account";
import { moment, t, word } from "../words";

export function Audit() {
  const entries = useList<AuditEntry>("/audit-log");
  return (
    <Loaded of={entries}>
      {(items) => (
        <>
          <Rows
            caption={t("Activity log")}
            head={[t("Time"), t("Action"), t("Target"), t("IP address"), t("Device/Browser")]}
            items={items}
            id={(each) => each.at + each.action + each.subject}
            row={(each) => [moment(each.at), word(each.action), each.subject, each.address, <Agent agent={each.agent} />]}
          />
          <More of={entries} />
        </>
      )}
    </Loaded>
  );
}
