"use client";

import { createContext, useContext } from "react";
import type { Me, Scope } from "@/lib/types";

const Context = createContext<Me | null>(null);

export const MeProvider = Context.Provider;

/** Who is signed in. */
export function useMe(): Me | null {
  return useContext(Context);
}

/** Whether the key may do what needs `scope`. The gateway decides; this only leaves out buttons that it would refuse. */
export function useMay(scope: Scope): boolean {
  const scopes = useMe()?.scopes ?? [];
  return scopes.includes("admin") || scopes.includes(scope);
}
