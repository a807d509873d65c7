// The address says what is shown: `#/devices?q=lamp&status=offline`. Back and Reload bring it again.

import { useCallback, useSyncExternalStore } from "react";

const listeners = new Set<() => void>();

const heard = (): void => {
  for (const listener of [...listeners]) listener();
};

function listen(listener: () => void): () => void {
  if (!listeners.size) for (const event of ["hashchange", "popstate"]) addEventListener(event, heard);
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (!listeners.size) for (const event of ["hashchange", "popstate"]) removeEventListener(event, heard);
  };
}

/** Everything behind `#`: "/devices?q=lamp". */
const whole = (): string => `/${location.hash.replace(/^#?\/?/, "")}`;
const pathOf = (address: string): string => address.split("?", 1)[0] as string;
const searchOf = (address: string): string => address.slice(pathOf(address).length + 1);

export function go(address: string, options: { replace?: boolean } = {}): void {
  const url = `#${address.startsWith("/") ? address : `/${address}`}`;
  if (url === location.hash) return;
  if (options.replace) history.replaceState(null, "", url);
  else history.pushState(null, "", url);
  heard();
}

/** For wouter's Router: the path, without its parameters. */
export function usePath(): [string, typeof go] {
  return [useSyncExternalStore(listen, () => pathOf(whole())), go];
}

/** Set parameters of the address; empty ones are left out. */
export function setParameters(values: Record<string, string>, options: { replace?: boolean } = {}): void {
  const address = whole();
  const said = new URLSearchParams(searchOf(address));
  for (const [name, value] of Object.entries(values)) {
    if (value) said.set(name, value);
    else said.delete(name);
  }
  const search = said.toString();
  go(pathOf(address) + (search ? `?${search}` : ""), options);
}

export const useSearch = (): URLSearchParams =>
  new URLSearchParams(useSyncExternalStore(listen, () => searchOf(whole())));

/** A parameter of the address; what equals `usual` is not written. `typed`: no step for Back. */
export function useParameter(name: string, usual = "", typed = false): [string, (value: string) => void] {
  const value = useSyncExternalStore(listen, () => new URLSearchParams(searchOf(whole())).get(name)) ?? usual;
  const set = useCallback(
    (next: string) => setParameters({ [name]: next === usual ? "" : next }, { replace: typed }),
    [name, usual, typed],
  );
  return [value, set];
}
