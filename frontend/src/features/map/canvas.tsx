/** The map, drawn by Cytoscape. What stays keeps its place when something changes. */
import { useComputedColorScheme } from "@mantine/core";
import cytoscape, { type Core, type ElementDefinition, type NodeSingular, type StylesheetJson } from "cytoscape";
// @ts-expect-error: it has no types of its own.
import fcose from "cytoscape-fcose";
import { useEffect, useRef } from "react";
import { lookOf } from "@/components/state";
import type { Graph } from "./graph";

cytoscape.use(fcose);

type Props = {
  graph: Graph;
  search: string;
  /** Another number: show all of it. */
  fit: number;
  pick: (id: string | null) => void;
  drop?: (container: string, network: string) => void;
};

const COLORS: Record<string, string> = { green: "#2f9e44", yellow: "#f08c00", red: "#e03131", gray: "#868e96", orange: "#e8590c" };
const colorOf = (state: string): string => COLORS[lookOf(state).color] ?? "#868e96";

const look = (dark: boolean): StylesheetJson => {
  const ink = dark ? "#e9ecef" : "#212529";
  return [
    {
      selector: "node",
      style: {
        label: "data(label)",
        shape: "data(shape)" as never,
        "background-color": "data(color)",
        color: ink,
        "font-size": 11,
        "text-valign": "bottom",
        "text-margin-y": 4,
        width: 24,
        height: 24,
        // In a crowd names only hide each other; they come with the zoom.
        "min-zoomed-font-size": 9,
      },
    },
    { selector: "node[kind='network']", style: { width: 42, height: 36, "background-color": dark ? "#4dabf7" : "#1971c2", "border-width": 4, "border-color": "data(color)", "font-weight": "bold" } },
    { selector: "node[kind='host']", style: { "background-opacity": 0.06, "border-width": 1, "border-color": "data(color)", "text-valign": "top", "text-margin-y": -4, "font-size": 13, shape: "round-rectangle" } },
    { selector: "node[kind='fold']", style: { width: 90, height: 40, "text-valign": "center", "text-margin-y": 0, color: "#fff", shape: "round-rectangle" } },
    { selector: "edge", style: { width: 2, "line-color": "data(color)", "curve-style": "haystack", opacity: 0.7 } },
    { selector: "edge[state='pending'], edge[state='removing']", style: { "line-style": "dashed", "curve-style": "straight" } },
    { selector: "edge[state='failed']", style: { "line-style": "dotted", "curve-style": "straight", width: 4 } },
    { selector: ".dim", style: { opacity: 0.15 } },
    { selector: ".found", style: { "underlay-color": "#fab005", "underlay-opacity": 0.5, "underlay-padding": 6 } },
    { selector: ".target", style: { "underlay-color": "#1c7ed6", "underlay-opacity": 0.4, "underlay-padding": 10 } },
  ];
};

function elementsOf(graph: Graph): ElementDefinition[] {
  return [
    ...graph.nodes.map((node) => ({ group: "nodes" as const, data: { ...node, color: colorOf(node.state) } })),
    ...graph.lines.map((line) => ({ group: "edges" as const, data: { ...line, color: colorOf(line.state) } })),
  ];
}

/** Show all of it, no larger than can be read well: three boxes need not fill a wall. */
function showAll(core: Core): void {
  core.fit(undefined, 30);
  if (core.zoom() > 1.3) {
    core.zoom(1.3);
    core.center();
  }
}

/** Bring the drawing up to date: only what came is laid out. */
function update(core: Core, graph: Graph): void {
  const wanted = new Map(elementsOf(graph).map((each) => [each.data.id!, each]));
  const first = core.elements().empty();
  core.batch(() => {
    core.elements().filter((each) => !wanted.has(each.id())).remove();
    for (const [id, each] of wanted) {
      const known = core.getElementById(id);
      if (known.empty()) continue;
      const parent = (each.data as { parent?: string }).parent ?? null;
      if (known.isNode() && (known.data("parent") ?? null) !== parent) known.move({ parent });
      known.data(each.data);
      wanted.delete(id);
    }
  });
  if (!wanted.size) return;
  const fresh = core.add([...wanted.values()]);
  const settled = core.nodes().toArray().filter((node): node is NodeSingular => node.isNode() && !node.isParent() && !fresh.has(node));
  const large = core.nodes().length > 400;
  const layout = {
    name: "fcose",
    quality: large ? "draft" : "default",
    animate: false,
    randomize: first,
    fit: false,
    nodeDimensionsIncludeLabels: true,
    packComponents: true,
    nodeSeparation: 110,
    idealEdgeLength: 110,
    fixedNodeConstraint: first ? undefined : settled.map((node) => ({ nodeId: node.id(), position: { ...node.position() } })),
  };
  if (first || fresh.nodes().nonempty()) core.layout(layout as never).run();
  if (first) showAll(core);
}

function networkUnder(core: Core, position: { x: number; y: number }): string | null {
  const hit = core.nodes("[kind='network']").filter((node) => {
    const box = node.boundingBox({ includeLabels: false });
    return position.x > box.x1 - 15 && position.x < box.x2 + 15 && position.y > box.y1 - 15 && position.y < box.y2 + 15;
  });
  return hit.nonempty() ? hit[0]!.id() : null;
}

export default function Canvas({ graph, search, fit, pick, drop }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const core = useRef<Core | null>(null);
  const heard = useRef({ pick, drop });
  heard.current = { pick, drop };
  const dark = useComputedColorScheme("light") === "dark";

  useEffect(() => {
    const made = cytoscape({ container: place.current, style: look(dark), minZoom: 0.1, maxZoom: 3, textureOnViewport: true, hideEdgesOnViewport: false });
    core.current = made;
    made.on("tap", (event) => heard.current.pick(event.target === made ? null : String(event.target.id())));
    let home = { x: 0, y: 0 };
    made.on("grab", "node[kind='container']", (event) => (home = { ...event.target.position() }));
    made.on("drag", "node[kind='container']", (event) => {
      made.nodes(".target").removeClass("target");
      const under = networkUnder(made, event.target.position());
      if (under) made.getElementById(under).addClass("target");
    });
    made.on("free", "node[kind='container']", (event) => {
      made.nodes(".target").removeClass("target");
      const under = networkUnder(made, event.target.position());
      if (!under) return;
      event.target.position(home);
      heard.current.drop?.(String(event.target.id()), under);
    });
    return () => {
      core.current = null;
      made.destroy();
    };
  }, []);

  useEffect(() => void core.current?.style(look(dark)), [dark]);
  useEffect(() => {
    if (core.current) update(core.current, graph);
  }, [graph]);
  useEffect(() => {
    if (fit && core.current) showAll(core.current);
  }, [fit]);
  useEffect(() => {
    const drawn = core.current;
    if (!drawn) return;
    drawn.elements().removeClass("dim found");
    const text = search.trim().toLowerCase();
    if (!text) return;
    const found = drawn.nodes().filter((node) => String(node.data("label")).toLowerCase().includes(text));
    drawn.elements().not(found).not(found.parent()).addClass("dim");
    found.addClass("found");
  }, [search, graph]);

  return (
    <div
      ref={place}
      role="img"
      aria-label={`Map of ${graph.nodes.length} networks, hosts and containers; the lists of networks and containers say the same in words`}
      style={{ height: "62vh", border: "1px solid var(--mantine-color-default-border)", borderRadius: 8 }}
      data-testid="map"
    />
  );
}
