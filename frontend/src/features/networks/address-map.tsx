/** A subnet as a field of cells: what is kept, held, free. A large one is drawn in blocks of many addresses. */
import { Group, Text, Tooltip } from "@mantine/core";
import type { Schemas } from "@/lib/api";
import { parseAddress, parseBlock, spellAddress } from "@/lib/cidr";

export type Holding = { address: string; name: string };
type Cell = { first: number; last: number; kind: "edge" | "gateway" | "kept" | "held" | "automatic" | "manual"; told: string };

const CELLS = 256;
const COLORS: Record<Cell["kind"], string> = {
  edge: "var(--mantine-color-gray-5)",
  gateway: "var(--mantine-color-violet-6)",
  kept: "var(--mantine-color-orange-6)",
  held: "var(--mantine-color-blue-7)",
  automatic: "var(--mantine-color-green-2)",
  manual: "var(--mantine-color-gray-2)",
};
const LEGEND: [Cell["kind"], string][] = [
  ["gateway", "gateway"],
  ["held", "held"],
  ["kept", "kept"],
  ["automatic", "free, given automatically"],
  ["manual", "free, only on request"],
];

/** At most 256 cells of equal size, whatever the subnet's. IPv6 subnets have none. */
function cellsOf(subnet: Schemas["SubnetUse"], held: Holding[]): Cell[] {
  const block = parseBlock(subnet.subnet);
  if (!block) return [];
  const size = block.last - block.first + 1;
  const step = Math.max(1, size / CELLS);
  const range = subnet.ip_range ? parseBlock(subnet.ip_range) : block;
  const cells: Cell[] = [];
  for (let first = block.first; first <= block.last; first += step) {
    const last = first + step - 1;
    const free = range && first <= range.last && last >= range.first ? "automatic" : "manual";
    cells.push({ first, last, kind: free, told: step > 1 ? `${spellAddress(first)} to ${spellAddress(last)}` : spellAddress(first) });
  }
  const mark = (address: string | null, kind: Cell["kind"], word: string) => {
    const value = address === null ? null : parseAddress(address);
    const cell = value === null ? undefined : cells[Math.floor((value - block.first) / step)];
    if (!cell || value === null) return;
    if (step === 1 || kind !== "edge") cell.kind = kind;
    if (kind !== "edge") cell.told += `; ${address} ${word}`;
  };
  if (size > 2) {
    mark(spellAddress(block.first), "edge", "");
    mark(spellAddress(block.last), "edge", "");
  }
  for (const each of held) mark(each.address, "held", each.name);
  for (const [name, address] of Object.entries(subnet.aux_addresses)) mark(address, "kept", `kept for ${name}`);
  mark(subnet.gateway, "gateway", "gateway");
  return cells;
}

export function AddressMap({ subnet, held }: { subnet: Schemas["SubnetUse"]; held: Holding[] }) {
  const cells = cellsOf(subnet, held);
  if (!cells.length) return null;
  const each = cells[0]!.last - cells[0]!.first + 1;
  return (
    <div>
      <div
        role="img"
        aria-label={`Addresses of ${subnet.subnet}: ${subnet.used} held or kept, ${subnet.free} free`}
        style={{ display: "grid", gridTemplateColumns: "repeat(auto-fill, 14px)", gap: 2, margin: "6px 0" }}
      >
        {cells.map((cell) => (
          <Tooltip key={cell.first} label={cell.told} openDelay={100}>
            <div data-kind={cell.kind} style={{ width: 14, height: 14, borderRadius: 3, background: COLORS[cell.kind] }} />
          </Tooltip>
        ))}
      </div>
      <Group gap="sm">
        {LEGEND.map(([kind, word]) => (
          <Group gap={4} key={kind}>
            <span style={{ width: 10, height: 10, borderRadius: 2, background: COLORS[kind], display: "inline-block" }} />
            <Text size="xs">{word}</Text>
          </Group>
        ))}
        {each > 1 && <Text size="xs" c="dimmed">each cell is {each.toLocaleString()} addresses</Text>}
      </Group>
    </div>
  );
}
