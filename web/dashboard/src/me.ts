import { queryOptions } from "@tanstack/react-query";
import { Problem, get } from "./api";
import type { User } from "./types";

/** Who is signed in; null where nobody is. */
export const me = queryOptions({
  queryKey: ["me"],
  queryFn: () =>
    get<User>("/users/me").catch((error: unknown) => {
      if (error instanceof Problem && error.status === 401) return null;
      throw error;
    }),
  staleTime: Infinity,
});
