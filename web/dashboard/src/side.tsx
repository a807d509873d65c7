// The frame's own things: the pages, how many alarms are open, whether it is live, and who is signed in.

import { useEffect } from "react";
import { Bell, useAlarmCount } from "./parts/bell";
import { LinkState } from "./parts/link_state";
import { PagesMenu } from "./pages_menu";
import { Bottom } from "./bottom";
import logo from "./roost.svg";
import { useNarrow } from "./narrow";
import { titleAlarms } from "./title";
import type { User } from "./types";
import { UserMenu } from "./user_menu";

export function Side({ user }: { user: User }) {
  const isNarrow = useNarrow();
  const alarms = useAlarmCount();
  useEffect(() => titleAlarms(alarms), [alarms]);
  useEffect(() => () => titleAlarms(""), []);
  return (
    <>
      <header className="side">
        <div className="top">
          <a className="brand" href="#/">
            <img src={logo} alt="" /> Roost
          </a>
          <Bell />
        </div>
        {!isNarrow && <PagesMenu alarms={alarms} />}
        <div className="end">
          <LinkState />
          <UserMenu user={user} />
        </div>
      </header>
      {isNarrow && <Bottom alarms={alarms} />}
    </>
  );
}
