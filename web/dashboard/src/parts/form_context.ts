// What fields know of the form that they stand in.

import { type ReactNode, createContext, useContext } from "react";
import type { Detail } from "../words/problems";

export type Values = Record<string, string>;

/** The fields of a form that changes what is stored: their texts, and what became of them elsewhere. */
export interface Edited {
  stored: Values;
  shown: (name: string) => string;
  type: (name: string, text: string) => void;
  /** Changed here and elsewhere: what to do about it. `say` is the stored text as people read it. */
  conflict: (name: string, say: (stored: string) => string) => ReactNode;
}

export const EditContext = createContext<Edited | null>(null);

/** Where the form changes what is stored, and this field is a part of that. */
export function useEdited(name: string): Edited | null {
  const edited = useContext(EditContext);
  return edited && name in edited.stored ? edited : null;
}

/** Why fields are refused, by their names. */
export const Errors = createContext<Record<string, Detail>>({});
