/** REST as the server's own description has it. Everything that is sent or asked goes through here. */
import createClient from "openapi-fetch";
import { doubt, isAway, judge, patience } from "./connection";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];
export type Host = Schemas["Host"];
export type Network = Schemas["Network"];
export type Endpoint = Schemas["Endpoint"];
export type Container = Schemas["Container"];
export type Operation = Schemas["Operation"];
export type Subnet = Schemas["Subnet"];

export const ROOT = "/api/v1";

/** A refusal: one sentence for the person, and the field that is to blame. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly field: string | null = null,
    readonly errors: { code: string; message: string; field: string | null }[] = [],
  ) {
    super(message);
  }
}

function readCookie(name: string): string {
  return new RegExp(`(?:^|; )${name}=([^;]*)`).exec(document.cookie)?.[1] ?? "";
}

export async function refuse(response: Response, body: unknown): Promise<never> {
  const said = (body ?? {}) as Partial<Schemas["Error"]>;
  const message = said.message ?? `The server answered ${response.status}; try again, and look at its log if it stays so.`;
  throw new Refusal(response.status, said.code ?? "unknown", message, said.field ?? null, said.errors ?? []);
}

const unreachable = (): Refusal => new Refusal(0, "unreachable", "The server does not answer; it is asked again by itself.");

async function reach(input: RequestInfo, init?: RequestInit): Promise<Response> {
  try {
    const response = await fetch(input, init);
    judge(response);
    return response;
  } catch {
    void doubt();
    throw unreachable();
  }
}

/** A question; changes wait as long as they take, a question only while the server is there. */
async function ask(request: Request): Promise<Response> {
  if (isAway()) throw unreachable();
  return reach(request, { signal: patience() });
}

export const api = createClient<paths>({ baseUrl: "", fetch: ask });

/** Whether it says nothing of what was asked, but only that the server cannot say it now. */
export const isOutage = (error: Error): boolean => error instanceof Refusal && (error.status === 0 || error.status >= 500);

/** The data of an answer; throws a Refusal. */
export async function get<T>(answer: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await answer;
  if (!response.ok || data === undefined) return refuse(response, error);
  return data;
}

export type Sent = { status: number; body: unknown };

/** A change; throws a Refusal. 202: recorded, but its host has not answered yet. */
export async function send(method: string, path: string, body?: unknown): Promise<Sent> {
  const headers: Record<string, string> = { Accept: "application/json", "X-CSRFToken": readCookie("csrftoken") };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await reach(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await response.text();
  let answer: unknown = null;
  try {
    answer = text ? JSON.parse(text) : null;
  } catch {
    answer = null;
  }
  if (!response.ok) return refuse(response, answer);
  return { status: response.status, body: answer };
}

type Page<T> = { count: number; results: T[] };
const PAGE = 1000;

/** All of a list, a page at a time; `seen` hears what has come so far. */
export async function list<T>(
  page: (offset: number, limit: number) => Promise<Page<T>>,
  seen: (rows: T[]) => void = () => undefined,
): Promise<T[]> {
  const rows: T[] = [];
  for (;;) {
    const next = await page(rows.length, PAGE);
    rows.push(...next.results);
    if (!next.results.length || rows.length >= next.count) return rows;
    seen([...rows]);
  }
}
