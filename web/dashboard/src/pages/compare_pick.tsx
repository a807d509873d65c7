// Choose the feeds of a comparison: found by name, ticked, a few at most.

import { useId, useState } from "react";
import { go } from "../address";
import { Checkbox } from "../parts/checkbox";
import { DeviceName } from "../parts/device_name";
import { Dialog } from "../parts/dialog";
import { More, useList } from "../parts/lists";
import { Search } from "../parts/search_field";
import type { Span } from "../parts/span";
import { Loaded } from "../parts/ui";
import type { Feed } from "../types";
import { t } from "../words";
import { FEEDS_MAX, compareAddress } from "./compare_address";

const AT_ONCE = 50;

interface PickProps {
  /** What is ticked at first. */
  chosen: readonly string[];
  close: () => void;
  choose: (ids: string[]) => void;
}

export function PickFeeds({ chosen, close, choose }: PickProps) {
  const [part, setPart] = useState("");
  const [ids, setIds] = useState<readonly string[]>(chosen.slice(0, FEEDS_MAX));
  const feeds = useList<Feed>("/feeds", { q: part, kind: "number", sort: "name", limit: AT_ONCE });
  const isFull = ids.length >= FEEDS_MAX;
  return (
    <Dialog title={t("Compare feeds")} close={close}>
      <Search label={t("Search feeds…")} value={part} onChange={setPart} />
      <Loaded of={feeds}>
        {(items) =>
          items.length ? (
            <ul className="picks" aria-label={t("Feeds")}>
              {items.map((feed) => (
                <Pick
                  key={feed.id}
                  feed={feed}
                  isChosen={ids.includes(feed.id)}
                  isFull={isFull}
                  onChange={(isChosen) => setIds(isChosen ? [...ids, feed.id] : ids.filter((id) => id !== feed.id))}
                />
              ))}
            </ul>
          ) : (
            <p className="quiet">{part ? t("No results") : t("No feeds with numbers yet")}</p>
          )
        }
      </Loaded>
      <More of={feeds} />
      <div className="row apart">
        <span className="quiet" role="status">
          {isFull ? t("Up to {many} feeds can be compared.", { many: FEEDS_MAX }) : t("{done} of {all} selected", { done: ids.length, all: FEEDS_MAX })}
        </span>
        <button type="button" className="primary" disabled={!ids.length} onClick={() => choose([...ids])}>
          {t("Compare")}
        </button>
      </div>
    </Dialog>
  );
}

interface OneProps {
  feed: Feed;
  isChosen: boolean;
  isFull: boolean;
  onChange: (isChosen: boolean) => void;
}

function Pick({ feed, isChosen, isFull, onChange }: OneProps) {
  const id = useId();
  return (
    <li>
      <Checkbox id={id} checked={isChosen} disabled={isFull && !isChosen} onChange={onChange} />
      <label htmlFor={id}>
        {feed.name}{" "}
        <span className="quiet">
          {feed.device_id && <DeviceName id={feed.device_id} />} {feed.unit && `(${feed.unit})`}
        </span>
      </label>
    </li>
  );
}

/** On a feed's page and in the list of feeds: choose others, and go to the comparison. */
export function CompareButton({ chosen, label, span = null }: { chosen: readonly string[]; label: string; span?: Span | null }) {
  const [isPicking, setPicking] = useState(false);
  return (
    <>
      <button type="button" onClick={() => setPicking(true)}>
        {label}
      </button>
      {isPicking && <PickFeeds chosen={chosen} close={() => setPicking(false)} choose={(ids) => go(compareAddress(ids, span))} />}
    </>
  );
}
