// What somebody has typed over values that may change elsewhere meanwhile. All functions are pure.

export type Texts = Record<string, string>;

/** A changed field: what was typed, and the stored value that it was typed over. */
export interface Edit {
  mine: string;
  base: string;
}

export type Draft = Readonly<Record<string, Edit>>;

/** The draft after somebody typed; a field that is as it was is not changed. */
export function typed(draft: Draft, name: string, mine: string, stored: string): Draft {
  const base = draft[name]?.base ?? stored;
  return mine === base && base === stored ? without(draft, name) : { ...draft, [name]: { mine, base } };
}

export function without(draft: Draft, name: string): Draft {
  const { [name]: _, ...rest } = draft;
  return rest;
}

/** "Keep mine": the stored value is known, and will be replaced. */
export const keptMine = (draft: Draft, name: string, stored: string): Draft =>
  draft[name] ? { ...draft, [name]: { mine: draft[name].mine, base: stored } } : draft;

/** Fields that were changed here and elsewhere, to different values. */
export const conflicts = (draft: Draft, stored: Texts): string[] =>
  Object.entries(draft)
    .filter(([name, { mine, base }]) => stored[name] !== base && stored[name] !== mine)
    .map(([name]) => name);

/** What has to be sent: the fields that differ from what is stored. */
export const changes = (draft: Draft, stored: Texts): Texts =>
  Object.fromEntries(
    Object.entries(draft)
      .filter(([name, { mine }]) => stored[name] !== mine)
      .map(([name, { mine }]) => [name, mine]),
  );
