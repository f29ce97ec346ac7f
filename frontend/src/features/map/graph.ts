/** What is drawn on the map, as data: nodes with their groups, and lines between them. */
import { lookOf } from "@/components/state";
import type { Container, Host, Network } from "@/lib/api";

export type Grouping = "host" | "network" | "none";
export type Node = { id: string; label: string; kind: "host" | "network" | "container" | "fold"; state: string; shape: string; parent?: string };
export type Line = { id: string; source: string; target: string; state: string };
export type Graph = { nodes: Node[]; lines: Line[]; folded: number };

/** Containers that are drawn one by one; of more, each group is one node. */
export const MOST = 2000;

type Input = { hosts: Host[]; networks: Network[]; containers: Container[]; grouping: Grouping; only: string | null };

export function makeGraph({ hosts, networks, containers, grouping, only }: Input): Graph {
  const shownNetworks = networks.filter((each) => (only ? each.id === only : each.driver !== "null"));
  const drawn = new Set(shownNetworks.map((each) => each.id));
  const shown = containers.filter((each) => !only || each.endpoints.some((one) => one.network.id === only));
  const fold = shown.length > MOST;
  const groupOf = (container: Container): string | undefined => {
    if (grouping === "host") return `host ${container.host}`;
    const first = container.endpoints.find((each) => drawn.has(each.network.id));
    return grouping === "network" && first ? `box ${first.network.id}` : undefined;
  };
  const nodes: Node[] = [];
  if (grouping === "host")
    for (const host of hosts) nodes.push({ id: `host ${host.name}`, label: host.name, kind: "host", state: host.state, shape: "round-rectangle" });
  for (const network of shownNetworks) {
    const { shape } = lookOf(network.state);
    if (grouping === "network") nodes.push({ id: `box ${network.id}`, label: "", kind: "host", state: network.state, shape: "round-rectangle" });
    const parent = grouping === "network" ? `box ${network.id}` : grouping === "host" && network.host ? `host ${network.host}` : undefined;
    nodes.push({ id: network.id, label: network.name, kind: "network", state: network.state, shape: shape === "ellipse" ? "hexagon" : shape, parent });
  }
  return fold ? foldAll(nodes, shown, drawn, groupOf) : drawAll(nodes, shown, drawn, groupOf);
}

type GroupOf = (container: Container) => string | undefined;

function drawAll(nodes: Node[], shown: Container[], drawn: Set<string>, groupOf: GroupOf): Graph {
  const lines: Line[] = [];
  for (const container of shown) {
    nodes.push({ id: container.id, label: container.name, kind: "container", state: container.state, shape: lookOf(container.state).shape, parent: groupOf(container) });
    for (const endpoint of container.endpoints)
      if (drawn.has(endpoint.network.id)) lines.push({ id: endpoint.id, source: container.id, target: endpoint.network.id, state: endpoint.state });
  }
  return { nodes, lines, folded: 0 };
}

function foldAll(nodes: Node[], shown: Container[], drawn: Set<string>, groupOf: GroupOf): Graph {
  const lines = new Map<string, Line>();
  const sizes = new Map<string, number>();
  for (const container of shown) {
    const fold = `fold ${groupOf(container) ?? ""}`;
    sizes.set(fold, (sizes.get(fold) ?? 0) + 1);
    for (const endpoint of container.endpoints)
      if (drawn.has(endpoint.network.id)) {
        const id = `${fold} ${endpoint.network.id}`;
        lines.set(id, { id, source: fold, target: endpoint.network.id, state: "active" });
      }
  }
  for (const [id, size] of sizes)
    nodes.push({ id, label: `${size} containers`, kind: "fold", state: "running", shape: "round-rectangle", parent: id.slice(5) || undefined });
  return { nodes, lines: [...lines.values()], folded: shown.length };
}
