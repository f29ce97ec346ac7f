/** Whether the server answers: the one place that knows. Requests and the socket tell it; badge, banner and pages ask it. */
import { useSyncExternalStore } from "react";

export type Socket = "connecting" | "live" | "polling";
export type Connection = Socket | "away";

/** ms in which a server that is there answers what costs it nothing, and after which one that is not is asked again. */
const PATIENCE = 1500;
const AGAIN = 1000;
/** What a proxy says for a server that does not answer it. */
const GATEWAY = [502, 503, 504];

let socket: Socket = "connecting";
let away = false;
let asking: Promise<void> | null = null;
let heard = new Date();
let waiting = new AbortController();
const listeners = new Set<() => void>();
const returns = new Set<() => void>();

const tell = (): void => listeners.forEach((listener) => listener());

export function setSocket(next: Socket): void {
  socket = next;
  tell();
}

/** What an answer says of who gave it. */
export function judge(answer: Response): void {
  if (GATEWAY.includes(answer.status)) void doubt();
  else hear();
}

/** The server has said something. One that was away is back when it answers the question for that. */
export function hear(): void {
  if (!away) heard = new Date();
}

/** Something was not answered, or the socket is cut or silent: find out whether the server is there, until it is. */
export function doubt(): Promise<void> {
  return (asking ??= ask());
}

async function ask(): Promise<void> {
  while (!(await isThere())) {
    if (!away) {
      away = true;
      // What waits for an answer holds the few connections that a browser has for a server.
      waiting.abort();
      waiting = new AbortController();
      tell();
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN));
  }
  asking = null;
  const wasAway = away;
  away = false;
  hear();
  if (!wasAway) return;
  tell();
  for (const act of returns) act();
}

async function isThere(): Promise<boolean> {
  try {
    const answer = await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    return !GATEWAY.includes(answer.status);
  } catch {
    return false;
  }
}

/** A part of the program that is loaded when it is needed: as soon as the server answers. */
export async function load<T>(part: () => Promise<T>): Promise<T> {
  try {
    return await part();
  } catch {
    await doubt();
    return part();
  }
}

/** Ends the wait of whoever only looks, when the server turns out to be away. */
export const patience = (): AbortSignal => waiting.signal;

export const isAway = (): boolean => away;

/** Since when nothing was heard. */
export const heardAt = (): Date => heard;

/** Calls back whenever the server answers again. */
export function onReturn(act: () => void): void {
  returns.add(act);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const useConnection = (): Connection => useSyncExternalStore(subscribe, () => (away ? "away" : socket));
