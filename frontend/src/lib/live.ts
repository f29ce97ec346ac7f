/** The one socket: it says what changed; when it is down, the pages ask again and again, and say so. */
import { useSyncExternalStore } from "react";
import type { Schemas } from "./api";
import { absorb, queries, type Change } from "./records";

export type Subject = { container: string } | { network: string };
type Figures = { kind: "statistics"; of: Subject; statistics: Schemas["Statistics"] };
export type Liveness = "connecting" | "live" | "polling";

/** ms in which changes are taken in together. One that its host has not made yet will be told again when it has. */
const GATHER = { underWay: 40, over: 10 };
const POLL = 5000;
const LONGEST = 15_000;

let state: Liveness = "connecting";
let socket: WebSocket | null = null;
let delay = 500;
let poll: ReturnType<typeof setInterval> | undefined;
let retry: ReturnType<typeof setTimeout> | undefined;
let gathered: Change[] = [];
let gathering: ReturnType<typeof setTimeout> | undefined;
let due = 0;
let watched: Subject | null = null;
const listeners = new Set<() => void>();

function become(next: Liveness): void {
  state = next;
  for (const listener of listeners) listener();
}

function take(change: Change): void {
  gathered.push(change);
  const end = Date.now() + (change.change.endsWith(":pending") ? GATHER.underWay : GATHER.over);
  if (gathered.length > 1 && end >= due) return;
  clearTimeout(gathering);
  due = end;
  gathering = setTimeout(() => {
    const changes = gathered;
    gathered = [];
    absorb(changes);
  }, due - Date.now());
}

/** Opens the socket and keeps it open. */
export function listen(): void {
  clearTimeout(retry);
  const url = new URL("/ws/events/", location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  const opened = new WebSocket(url);
  socket = opened;
  opened.onopen = () => {
    delay = 500;
    if (watched) opened.send(JSON.stringify({ watch: watched }));
    clearInterval(poll);
    // What happened while nobody listened is not told again.
    if (state === "polling") void queries.invalidateQueries();
    become("live");
  };
  opened.onmessage = (message) => {
    const said = JSON.parse(String(message.data)) as Change | Figures;
    if ("statistics" in said) queries.setQueryData(["statistics", said.of], said.statistics);
    else take(said);
  };
  opened.onclose = () => {
    if (socket !== opened) return;
    if (state !== "polling") {
      clearInterval(poll);
      poll = setInterval(() => void queries.invalidateQueries(), POLL);
      become("polling");
    }
    retry = setTimeout(listen, delay);
    delay = Math.min(delay * 2, LONGEST);
  };
}

/** Asks for live figures of a thing while it is shown; null: of nothing any more. */
export function watch(subject: Subject | null): void {
  watched = subject;
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ watch: subject }));
}

/** Closes the socket for good: nobody is signed in any more. */
export function hush(): void {
  clearTimeout(retry);
  clearInterval(poll);
  const closing = socket;
  socket = null;
  closing?.close();
  become("connecting");
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const useLiveness = (): Liveness => useSyncExternalStore(subscribe, () => state);
