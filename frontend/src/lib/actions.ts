/** Every change that a page can ask for: its request, and the same as a command line. */
import { ROOT, type Container, type Endpoint, type Host, type Network, type Schemas } from "./api";

export type Action = {
  /** What the button says. */
  label: string;
  /** A command line that does the same. */
  command: string;
  method: "POST" | "PATCH" | "DELETE";
  path: string;
  body?: unknown;
  /** What is said when it is done. */
  done: string;
  /** A question that must be answered first, where something is lost. */
  warning?: string;
};

const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/;
const quote = (word: string): string => (PLAIN.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

function spell(...words: (string | string[] | false | null | undefined)[]): string {
  return ["netadmin", ...words.flat().filter((word): word is string => typeof word === "string" && word !== "")]
    .map(quote)
    .join(" ");
}

const flag = (name: string, value: string | null | undefined): string[] => (value ? [name, value] : []);
const flags = (name: string, values: string[] | undefined): string[] => (values ?? []).flatMap((value) => [name, value]);
const pairs = (values: Record<string, string> | undefined): string[] =>
  Object.entries(values ?? {}).map(([key, value]) => (value ? `${key}=${value}` : key));
const path = (...parts: string[]): string => `${ROOT}/${parts.map(encodeURIComponent).join("/")}/`;

/** Whether hosts can be asked what they would do for it: what else there is touches none. */
export const isRehearsed = (action: Action): boolean => /^\/api\/v1\/(networks|containers)\//.test(action.path);

/** The request as a line for curl. */
export function spellRequest(action: Action): string {
  const words = ["curl", "-X", action.method, "-H", "Authorization: Bearer $TOKEN"];
  if (action.body !== undefined) words.push("-H", "Content-Type: application/json", "-d", JSON.stringify(action.body));
  const spelt = words.map((word) => (word.includes("$TOKEN") ? `"${word}"` : quote(word)));
  return [...spelt, location.origin + action.path].join(" ");
}

export type Wish = Omit<Partial<Schemas["ConnectRequest"]>, "container">;

export function connect(network: Network, container: Pick<Container, "id" | "name">, wish: Wish): Action {
  const words = [
    ...flag("--ip", wish.ipv4_address),
    ...flag("--ip6", wish.ipv6_address),
    ...flags("--alias", wish.aliases),
    ...flags("--link", wish.links),
    ...flag("--mac-address", wish.mac_address),
    ...flag("--gw-priority", wish.gateway_priority ? String(wish.gateway_priority) : ""),
  ];
  return {
    label: "Connect",
    command: spell("network", "connect", words, network.name, container.name),
    method: "POST",
    path: path("networks", network.id, "connect"),
    body: { container: container.id, ...wish },
    done: `${container.name} is connected to ${network.name}.`,
  };
}

export function disconnect(endpoint: Endpoint): Action {
  const { network, container } = endpoint;
  return {
    label: "Disconnect",
    command: spell("network", "disconnect", network.name, container.name),
    method: "POST",
    path: path("networks", network.id, "disconnect"),
    body: { container: container.id },
    done: `${container.name} is disconnected from ${network.name}.`,
    warning: `${container.name} loses its address ${endpoint.ipv4_address ?? endpoint.ipv6_address ?? ""} and its aliases on ${network.name}.`,
  };
}

export function createNetwork(body: Schemas["NetworkCreateRequest"]): Action {
  const subnets = body.subnets ?? [];
  const words = subnets.flatMap((each) => [
    ...flag("--subnet", each.subnet),
    ...flag("--gateway", each.gateway),
    ...flag("--ip-range", each.ip_range),
    ...flags("--aux-address", pairs(each.aux_addresses)),
  ]);
  return {
    label: "Create network",
    command: spell(
      "network",
      "create",
      ["-d", body.driver ?? "bridge"],
      flag("--host", body.host),
      words,
      body.internal && "--internal",
      body.enable_ipv6 && "--ipv6",
      flags("-o", pairs(body.options)),
      flags("--label", pairs(body.labels)),
      body.name,
    ),
    method: "POST",
    path: path("networks"),
    body,
    done: `Network ${body.name} is made.`,
  };
}

export function relabelNetwork(network: Network, labels: Record<string, string>): Action {
  return {
    label: "Save labels",
    command: "",
    method: "PATCH",
    path: path("networks", network.id),
    body: { labels },
    done: `Network ${network.name} has these labels now.`,
  };
}

export function removeNetwork(network: Network): Action {
  return {
    label: "Remove",
    command: spell("network", "rm", network.name),
    method: "DELETE",
    path: path("networks", network.id),
    done: `Network ${network.name} is removed.`,
    warning: `Network ${network.name} and its subnets are given back; stopped containers are dropped from it.`,
  };
}

export function createContainer(body: Schemas["ContainerCreateRequest"]): Action {
  const [first, ...others] = body.networks ?? [];
  return {
    label: body.start ? "Run container" : "Create container",
    command: spell(
      body.start ? ["run", "-d"] : "create",
      flag("--host", body.host),
      flag("--name", body.name),
      first && ["--net", first.network, ...flag("--ip", first.ipv4_address), ...flags("--alias", first.aliases)],
      others.flatMap((each) => ["--net", each.network]),
      ...flags("-p", body.ports),
      flag("--image", body.image),
      body.command ?? [],
    ),
    method: "POST",
    path: path("containers"),
    body,
    done: `Container ${body.name ?? ""} is made.`,
  };
}

type Verb = "start" | "stop" | "restart";
const DONE: Record<Verb, string> = { start: "runs", stop: "is stopped", restart: "runs again" };

export function drive(container: Container, verb: Verb): Action {
  return {
    label: verb[0]!.toUpperCase() + verb.slice(1),
    command: spell(verb, container.name),
    method: "POST",
    path: path("containers", container.id, verb),
    body: {},
    done: `Container ${container.name} ${DONE[verb]}.`,
  };
}

export function renameContainer(container: Container, name: string): Action {
  return {
    label: "Rename",
    command: spell("rename", container.name, name),
    method: "POST",
    path: path("containers", container.id, "rename"),
    body: { name },
    done: `Container ${container.name} is ${name} now.`,
  };
}

export function removeContainer(container: Container): Action {
  return {
    label: "Remove",
    command: spell("rm", "-f", container.name),
    method: "DELETE",
    path: `${path("containers", container.id)}?force=true`,
    done: `Container ${container.name} is removed.`,
    warning: `Container ${container.name} is stopped and removed with all its endpoints.`,
  };
}

export function addHost(body: Schemas["HostCreateRequest"]): Action {
  return {
    label: "Add host",
    command: spell("host", "add", body.name, flag("--advertise", body.advertise)),
    method: "POST",
    path: path("hosts"),
    body,
    done: `Host ${body.name} is invited.`,
  };
}

const HOST_WARNING: Record<string, string> = {
  revoke: "Its key is taken back: it gets and changes nothing until it is renewed and joins again. What runs there goes on.",
  renew: "It gets a new key with the command that is shown next; the old one is refused from now on.",
};

export function driveHost(host: Host, verb: "drain" | "undrain" | "renew" | "revoke"): Action {
  return {
    label: verb[0]!.toUpperCase() + verb.slice(1),
    command: spell("host", verb, host.name),
    method: "POST",
    path: path("hosts", host.name, verb),
    body: {},
    done: `Host ${host.name}: ${verb} is done.`,
    warning: HOST_WARNING[verb],
  };
}

export function removeHost(host: Host): Action {
  return {
    label: "Remove",
    command: spell("host", "rm", host.name),
    method: "DELETE",
    path: path("hosts", host.name),
    done: `Host ${host.name} is removed.`,
    warning: `Host ${host.name} is forgotten.`,
  };
}

export function createToken(body: Schemas["TokenCreateRequest"]): Action {
  return { label: "Make token", command: spell("token", "create", body.name), method: "POST", path: path("tokens"), body, done: `Token ${body.name} is made.` };
}

export function removeToken(token: Schemas["Token"]): Action {
  return {
    label: "Take back",
    command: spell("token", "rm", String(token.id)),
    method: "DELETE",
    path: path("tokens", String(token.id)),
    done: `Token ${token.name} is of no use any more.`,
    warning: `Programs that use the token ${token.name} are refused from now on.`,
  };
}
