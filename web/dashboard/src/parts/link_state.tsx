// Whether what is shown is live: a word in the menu, and a banner above the page while it is not.

import { useLink } from "../live/hooks";
import { ago, t } from "../words";
import { useNow } from "./ui";

export function LinkState() {
  const link = useLink();
  const words = {
    connecting: t("Connecting…"),
    live: t("Live"),
    reconnecting: t("Not live"),
    stale: t("Delayed"),
  };
  return (
    <span className={`link ${link.state}`} role="status" data-link={link.state}>
      {words[link.state]}
    </span>
  );
}

export function Banner() {
  const link = useLink();
  const now = useNow(1_000);
  if (!("since" in link)) return null;
  const when = ago(link.since, now);
  return (
    <p className={`banner ${link.state}`} role="status">
      {link.state === "stale" ? t("Live updates delayed since {when}", { when }) : t("Connection lost {when}. Reconnecting…", { when })}
    </p>
  );
}
