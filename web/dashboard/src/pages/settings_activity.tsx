// What was done to the account.

import { download } from "../api";
import { Agent } from "../parts/agent";
import { More, Rows, useList } from "../parts/lists";
import { withCode } from "../parts/second_factor";
import { Action, Loaded } from "../parts/ui";
import type { AuditEntry } from "../types_account";
import { moment, t, word } from "../words";
import { toldText } from "../words/problems";

export function Audit() {
  const entries = useList<AuditEntry>("/audit-log");
  return (
    <Loaded of={entries}>
      {(items) => (
        <>
          <div className="row">
            <Action run={() => withCode((headers) => download("/audit-log/export", "activity.csv", headers))}>
              {t("Export CSV")}
            </Action>
          </div>
          <Rows
            caption={t("Activity log")}
            head={[t("Time"), t("Action"), t("Target"), t("IP address"), t("Device/Browser")]}
            items={items}
            id={(each) => each.at + each.action + each.subject}
            row={(each) => [moment(each.at), word(each.action), toldText({ ...each, detail: each.subject }), each.address, <Agent agent={each.agent} />]}
          />
          <More of={entries} />
        </>
      )}
    </Loaded>
  );
}
