/** What the open pages know of hosts, networks and containers: fetched once, then brought up to date one by one. */
import { QueryClient, useQuery, useQueryClient, type UseQueryResult } from "@tanstack/react-query";
import { useMemo } from "react";
import { api, get, isOutage, list, Refusal, type Container, type Host, type Network } from "./api";

export type Change = { kind: string; id: string; change: string; at: string };

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: Infinity,
      refetchOnWindowFocus: false,
      // A browser that says it is offline still reaches a server on its own machine: whether it answers is found out by asking.
      networkMode: "always",
      retry: (count, error) => count < 3 && isOutage(error),
    },
  },
});

type Row = { id: string };
type Collection = { all: (seen: (rows: Row[]) => void) => Promise<Row[]>; one: (id: string) => Promise<Row> };

const collections: Record<string, Collection> = {
  host: {
    all: (seen) =>
      list<Host>((offset, limit) => get(api.GET("/api/v1/hosts/", { params: { query: { offset, limit } } })), seen as never),
    one: (id) => get(api.GET("/api/v1/hosts/{id}/", { params: { path: { id } } })),
  },
  network: {
    all: (seen) =>
      list<Network>((offset, limit) => get(api.GET("/api/v1/networks/", { params: { query: { offset, limit } } })), seen as never),
    one: (id) => get(api.GET("/api/v1/networks/{id}/", { params: { path: { id } } })),
  },
  container: {
    all: (seen) =>
      list<Container>((offset, limit) => get(api.GET("/api/v1/containers/", { params: { query: { offset, limit } } })), seen as never),
    one: (id) => get(api.GET("/api/v1/containers/{id}/", { params: { path: { id } } })),
  },
};

/** Queries, by the first word of their key, that a change of a kind may have made stale. */
const touched: Record<string, string[]> = {
  host: ["summary", "host"],
  network: ["summary", "subnets", "inspect", "plan", "rights"],
  container: ["summary", "names", "inspect", "rights"],
  endpoint: ["summary", "subnets", "names", "inspect", "rights"],
  grant: ["me", "rights"],
  pool: ["pools", "plan"],
};

function useRows<T extends Row>(kind: string, again: (rows: T[] | undefined) => number | false = () => false): UseQueryResult<T[]> {
  const client = useQueryClient();
  return useQuery({
    queryKey: [kind],
    refetchInterval: (query) => again(query.state.data as T[] | undefined),
    queryFn: async () => {
      // The first page is shown while the others come; a refresh must not shrink what is shown.
      const show = client.getQueryData([kind]) === undefined;
      const missed = new Set<string>();
      loading.set(kind, missed);
      try {
        return (await collections[kind]!.all((rows) => show && client.setQueryData([kind], rows))) as T[];
      } finally {
        loading.delete(kind);
        // What changed meanwhile may have been read before it did.
        if (missed.size) setTimeout(() => fetchAll(new Map([[kind, missed]])));
      }
    },
  });
}

const SOON = 2000; // ms
const LATER = 30_000;

/** How far hosts are, and when they were heard, is not told with every beat: it is asked for now and then. */
export const useHosts = () => useRows<Host>("host", (hosts) => (hosts?.some((each) => each.lag && each.state === "online") ? SOON : LATER));
export const useNetworks = () => useRows<Network>("network");
export const useContainers = () => useRows<Container>("container");

/** The containers that are on a network. */
export function useMembers(network: string): Container[] {
  const { data } = useContainers();
  return useMemo(() => (data ?? []).filter((each) => each.endpoints.some((one) => one.network.id === network)), [data, network]);
}

const MANY = 25;
const mending = new Map<string, Promise<void>>();

type Wanted = Map<string, Set<string>>;

/** What changed of a kind while all of it is being fetched. */
const loading = new Map<string, Set<string>>();

/** Take in what changed: the changed rows are fetched anew, and all of a kind only when many changed at once. */
export function absorb(changes: Change[]): void {
  const wanted: Wanted = new Map();
  const stale = new Set<string>();
  const endpoints = new Set<string>();
  // Whatever changed was asked for by somebody, and is in the history.
  if (changes.length) stale.add("operations");
  for (const { kind, id } of changes) {
    for (const word of touched[kind] ?? []) stale.add(word);
    if (!id) {
      // Many of the kind changed at once.
      for (const word of kind === "endpoint" ? ["container", "network"] : [kind]) stale.add(word);
      continue;
    }
    if (kind in collections) want(wanted, kind, id);
    if (kind === "endpoint") endpoints.add(id);
  }
  fetchAll(wanted);
  void absorbEndpoints(endpoints);
  void queries.invalidateQueries({ predicate: (query) => stale.has(String(query.queryKey[0])) });
}

/** Endpoints are shown with their container, and counted with their network. */
async function absorbEndpoints(ids: Set<string>): Promise<void> {
  if (ids.size > MANY) {
    void queries.invalidateQueries({ queryKey: ["container"] });
    void queries.invalidateQueries({ queryKey: ["network"] });
    return;
  }
  const wanted: Wanted = new Map();
  const ask = async (id: string) => {
    for (const holder of holdersOf(id)) want(wanted, "container", holder);
    const { data } = await api.GET("/api/v1/endpoints/{id}/", { params: { path: { id } } });
    if (data) {
      want(wanted, "container", data.container.id);
      want(wanted, "network", data.network.id);
    }
  };
  await Promise.all([...ids].map((id) => ask(id).catch(() => undefined)));
  fetchAll(wanted);
}

function want(wanted: Wanted, kind: string, id: string): void {
  wanted.set(kind, (wanted.get(kind) ?? new Set()).add(id));
}

/** Whose the endpoint was: one that is gone cannot be asked. */
function holdersOf(endpoint: string): string[] {
  const known = queries.getQueryData<Container[]>(["container"]) ?? [];
  return known.filter((each) => each.endpoints.some((one) => one.id === endpoint)).map((each) => each.id);
}

function fetchAll(wanted: Wanted): void {
  for (const [kind, ids] of wanted) {
    for (const id of ids) loading.get(kind)?.add(id);
    if (queries.getQueryState([kind])?.data === undefined) continue;
    if (ids.size > MANY) void queries.invalidateQueries({ queryKey: [kind] });
    else for (const id of ids) void mend(kind, id);
  }
}

/** Fetch one row and put it in its place; a later change of the same row waits for the earlier, to come out last. */
async function mend(kind: string, id: string): Promise<void> {
  const before = mending.get(id) ?? Promise.resolve();
  const mended = before.then(async () => {
    const row = await collections[kind]!.one(id).catch((error: unknown) => {
      if (error instanceof Refusal && error.status === 404) return null;
      void queries.invalidateQueries({ queryKey: [kind] });
      return undefined;
    });
    if (row !== undefined) place(kind, id, row);
  });
  mending.set(id, mended);
  await mended;
  if (mending.get(id) === mended) mending.delete(id);
}

function place(kind: string, id: string, row: Row | null): void {
  const before = queries.getQueryData<Row[]>([kind])?.find((each) => each.id === id);
  queries.setQueryData<Row[]>([kind], (rows) => {
    if (rows === undefined) return rows;
    const at = rows.findIndex((each) => each.id === id);
    if (row === null) return at < 0 ? rows : rows.filter((each) => each.id !== id);
    return at < 0 ? [...rows, row] : rows.with(at, row);
  });
  if (kind === "container") recount(before as Container | undefined, row as Container | null);
  if (kind === "network" && row === null) forgetNetwork(id);
}

/** Networks that the container came to or left: their use of addresses has changed. */
function recount(before: Container | undefined, after: Container | null): void {
  const networks = (container?: Container | null) => new Set(container?.endpoints.map((each) => each.network.id));
  const [left, come] = [networks(before), networks(after)];
  const changed = [...left, ...come].filter((id) => left.has(id) !== come.has(id));
  fetchAll(new Map([["network", new Set(changed)]]));
}

/** Stopped containers are dropped from a network that goes; they are not told of one by one. */
function forgetNetwork(id: string): void {
  queries.setQueryData<Container[]>(["container"], (rows) =>
    rows?.map((row) => {
      const endpoints = row.endpoints.filter((each) => each.network.id !== id);
      return endpoints.length === row.endpoints.length ? row : { ...row, endpoints };
    }),
  );
}
