// What somebody has typed over values that may change elsewhere meanwhile. All functions are pure.

export type Texts = Record<string, string>;

/** A changed field: what was typed, and the stored value that it was typed over. */
export interface Edit {
  mine: string;
  base: string;
}

export type Draft = Readonly<Record<string, Edit>>;

/** The draft after somebody typed; a field that is as it is stored is not changed. */
export function typed(draft: Draft, name: string, mine: string, stored: string): Draft {
  if (mine === stored) return without(draft, name);
  const before = draft[name];
  return { ...draft, [name]: { mine, base: before && before.mine !== stored ? before.base : stored } };
}

export function without(draft: Draft, name: string): Draft {
  const { [name]: _, ...rest } = draft;
  return rest;
}

const filtered = (draft: Draft, isKept: (name: string, edit: Edit) => boolean): Draft => {
  const kept = Object.entries(draft).filter(([name, edit]) => isKept(name, edit));
  return kept.length === Object.keys(draft).length ? draft : Object.fromEntries(kept);
};

/** Without the fields that are stored as they were typed, whoever stored them: they follow again. */
export const settled = (draft: Draft, stored: Texts): Draft => filtered(draft, (name, { mine }) => mine !== stored[name]);

/** The draft after `sent` was stored, maybe in other letters. What was typed meanwhile was typed over that. */
export function saved(draft: Draft, sent: Texts, stored: Texts): Draft {
  const rest = filtered(draft, (name, { mine }) => mine !== sent[name]);
  const over = Object.entries(rest).map(([name, edit]) => [name, name in sent ? { ...edit, base: stored[name] ?? "" } : edit]);
  return settled(Object.fromEntries(over) as Draft, stored);
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
