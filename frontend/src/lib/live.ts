/** The one socket: it says what changed; when it is down, the pages ask again and again, and say so. */
import type { Schemas } from "./api";
import { doubt, hear, isAway, onReturn, setSocket, type Socket } from "./connection";
import { absorb, queries, type Change } from "./records";

export type Subject = { container: string } | { network: string };
type Figures = { kind: "statistics"; of: Subject; statistics: Schemas["Statistics"] };

/** ms in which changes are taken in together. One that its host has not made yet will be told again when it has. */
const GATHER = { underWay: 40, over: 10 };
const POLL = 5000;
const LONGEST = 15_000;
/** ms between two signs of life; nothing else tells a socket that is idle from one behind a network that is gone. */
const BEAT = 1000;
/** So many that did not come end a socket. */
const DEAD = 5;

let state: Socket = "connecting";
let socket: WebSocket | null = null;
let delay = 500;
let poll: ReturnType<typeof setInterval> | undefined;
let beat: ReturnType<typeof setInterval> | undefined;
/** How many of them were asked for since the last. */
let silent = 0;
let retry: ReturnType<typeof setTimeout> | undefined;
let gathered: Change[] = [];
let gathering: ReturnType<typeof setTimeout> | undefined;
let due = 0;
let watched: Subject | null = null;

function become(next: Socket): void {
  state = next;
  setSocket(next);
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
    clearInterval(beat);
    silent = 0;
    beat = setInterval(feel, BEAT);
    hear();
    // What happened while nobody listened is not told again.
    if (state === "polling") void queries.invalidateQueries();
    become("live");
  };
  opened.onmessage = (message) => {
    silent = 0;
    hear();
    const said = JSON.parse(String(message.data)) as Change | Figures | { kind: "pong" };
    if (said.kind === "pong") return;
    if ("statistics" in said) queries.setQueryData(["statistics", said.of], said.statistics);
    else take(said as Change);
  };
  opened.onclose = () => {
    if (socket !== opened) return;
    void doubt();
    fallBack();
    retry = setTimeout(listen, delay);
    delay = Math.min(delay * 2, LONGEST);
  };
}

/** Without a socket the pages ask. */
function fallBack(): void {
  clearInterval(beat);
  if (state === "polling") return;
  clearInterval(poll);
  poll = setInterval(() => void (isAway() || queries.invalidateQueries()), POLL);
  become("polling");
}

/** Asks for a sign of life; when the last one has not come, whether the server is there. */
function feel(): void {
  if (silent) void doubt();
  silent += 1;
  if (silent > DEAD && !isAway()) reopen();
  else if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ ping: true }));
}

function reopen(): void {
  const dead = socket;
  // One behind a dead network tells of its end only after a minute.
  fallBack();
  delay = 500;
  listen();
  dead?.close();
}

onReturn(() => {
  void queries.invalidateQueries();
  if (socket && (socket.readyState !== WebSocket.OPEN || silent)) reopen();
});

/** Asks for live figures of a thing while it is shown; null: of nothing any more. */
export function watch(subject: Subject | null): void {
  watched = subject;
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ watch: subject }));
}

/** Closes the socket for good: nobody is signed in any more. */
export function hush(): void {
  clearTimeout(retry);
  clearInterval(poll);
  clearInterval(beat);
  const closing = socket;
  socket = null;
  closing?.close();
  become("connecting");
}
