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

function useMayChangeAll(): boolean {
  const role = useMe().data?.role;
  return role === "admin" || role === "operator";
}

/** Whether it is worth offering a form that names what it is about: the answer may still be no. */
export function useMayChange(): boolean {
  const granted = useMe().data?.granted;
  return useMayChangeAll() || Boolean(granted);
}

export type Rights = { change: boolean; commands: boolean; endpoint: (id: string) => boolean };

/** What buttons a network or container is shown with. For members of teams the server decides, as it does on the change. */
export function useRights(subject: { network: string } | { container: string }): Rights {
  const all = useMayChangeAll();
  const some = useMayChange();
  const { data } = useQuery({
    queryKey: ["rights", subject],
    enabled: some && !all,
    queryFn: () => get(api.GET("/api/v1/rights/", { params: { query: subject } })),
  });
  return {
    change: all || (data?.change ?? false),
    commands: all || (data?.commands ?? false),
    endpoint: (id) => all || (data?.endpoints.includes(id) ?? false),
  };
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
