/** What interfaces count, read from the kernel while somebody looks. */
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api, get, type Schemas } from "./api";
import { useConnection } from "./connection";
import { watch, type Subject } from "./live";

export type Interface = Schemas["Interface"];
export type Rate = { rx: number; tx: number };

const EVERY = 2000; // ms
const KEPT = 90; // samples: three minutes

/** The socket brings them; while it is down they are asked for. */
export function useStatistics(query: Subject, enabled: boolean) {
  const isLive = useConnection() === "live";
  const subject = JSON.stringify(query);
  useEffect(() => {
    if (!enabled) return;
    watch(JSON.parse(subject) as Subject);
    return () => watch(null);
  }, [subject, enabled]);
  return useQuery({
    queryKey: ["statistics", query],
    queryFn: () => get(api.GET("/api/v1/statistics/", { params: { query } })),
    refetchInterval: isLive ? false : EVERY,
    enabled,
    gcTime: 0,
    retry: false,
  });
}

export type Sample = Rate & { at: number };
type Seen = { at: number; counted: Map<string, Interface> };

/** Bytes per second by interface (its endpoint's id, else its name), a sample for each answer. */
export function useRates(data: Schemas["Statistics"] | undefined): Map<string, Sample[]> {
  const [state, setState] = useState<{ last: Seen | null; samples: Map<string, Sample[]> }>({ last: null, samples: new Map() });
  useEffect(() => {
    if (!data) return;
    const at = Date.parse(data.at) / 1000;
    const counted = new Map(data.interfaces.map((each) => [each.endpoint ?? each.name, each]));
    setState(({ last, samples }) => {
      if (!last || at <= last.at) return { last: { at, counted }, samples };
      const next = new Map(samples);
      for (const [key, now] of counted) {
        const before = last.counted.get(key);
        if (!before) continue;
        // A restart counts from zero again.
        const per = (what: "rx_bytes" | "tx_bytes") => Math.max(0, now[what] - before[what]) / (at - last.at);
        next.set(key, [...(next.get(key) ?? []).slice(1 - KEPT), { at, rx: per("rx_bytes"), tx: per("tx_bytes") }]);
      }
      return { last: { at, counted }, samples: next };
    });
  }, [data]);
  return state.samples;
}
