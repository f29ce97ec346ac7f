/** Who looks at the pages, and what they may do. */
import { useQuery } from "@tanstack/react-query";
import { api, get, Refusal, send } from "./api";
import { hush } from "./live";
import { queries } from "./records";

export function useMe() {
  return useQuery({
    queryKey: ["me"],
    queryFn: async () => {
      try {
        return await get(api.GET("/api/v1/me/"));
      } catch (error) {
        if (error instanceof Refusal && (error.status === 401 || error.status === 403)) return null;
        throw error;
      }
    },
  });
}

/** Whether buttons that change networks and containers are offered. */
export function useMayChange(): boolean {
  const role = useMe().data?.role;
  return role === "admin" || role === "operator";
}

export const useIsAdmin = (): boolean => useMe().data?.role === "admin";

export async function signIn(name: string, password: string): Promise<void> {
  await send("POST", "/api/v1/session/", { name, password });
  await queries.resetQueries();
}

export async function signOut(): Promise<void> {
  await send("DELETE", "/api/v1/session/");
  hush();
  queries.clear();
  location.assign("/");
}
