// Lists that go on: pages by cursor, more at a button.

import { useInfiniteQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { get, query } from "../api";
import type { Page } from "../types";
import { t } from "../words";
import { useHeir } from "./focus";

type Asked = Record<string, string | number | boolean | null | undefined>;

/** Everything of a list that was asked for so far. */
export function useList<T>(path: string, asked: Asked = {}, enabled = true) {
  const found = useInfiniteQuery({
    queryKey: [path, asked],
    queryFn: ({ pageParam }) => get<Page<T>>(path + query({ limit: 100, ...asked, cursor: pageParam })),
    initialPageParam: null as string | null,
    getNextPageParam: (last: Page<T>) => last.next,
    enabled,
  });
  return { ...found, data: found.data?.pages.flatMap((page) => page.items) };
}

export function More({ of }: { of: { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => unknown } }) {
  return of.hasNextPage ? <MoreButton isBusy={of.isFetchingNextPage} more={() => of.fetchNextPage()} /> : null;
}

function MoreButton({ isBusy, more }: { isBusy: boolean; more: () => unknown }) {
  const box = useHeir<HTMLButtonElement>();
  return (
    <div className="row">
      <button ref={box} type="button" aria-disabled={isBusy || undefined} onClick={() => isBusy || more()}>
        {t("Show more")}
      </button>
    </div>
  );
}

interface RowsProps<T> {
  caption: string;
  head: string[];
  items: T[];
  id: (item: T) => string;
  row: (item: T) => ReactNode[];
}

const isShown = (cell: ReactNode): boolean => cell !== "" && cell !== null && cell !== undefined && cell !== false;

/** A table with a caption for screen readers; it scrolls sideways where it must. */
export function Rows<T>({ caption, head, items, id, row }: RowsProps<T>) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be reached by the keyboard
    <div className="scroll" tabIndex={0} role="region" aria-label={caption}>
      {/* The roles stay where a narrow screen shows rows as cards. */}
      <table role="table">
        <caption className="hidden">{caption}</caption>
        <thead role="rowgroup">
          <tr role="row">
            {head.map((name, at) => (
              <th key={at} role="columnheader" scope="col">
                {name || <span className="hidden">{t("Actions")}</span>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {items.map((item) => (
            <tr key={id(item)} role="row">
              {row(item).map((cell, at) => (
                <td key={at} role="cell" data-label={head[at] || undefined}>
                  {isShown(cell) && <div>{cell}</div>}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
