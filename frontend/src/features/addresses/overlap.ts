import type { Host, Subnet } from "@/lib/api";
import { parseBlock, type Block } from "@/lib/cidr";

type Named = Block & { name: string };

/** By subnet: the route of a host, of those on which it may be, that it overlaps. */
export function findOverlaps(subnets: Subnet[], hosts: Host[]): Map<number, string> {
  const routes = new Map<string, Named[]>();
  for (const host of hosts)
    routes.set(
      host.name,
      host.routes.flatMap((route) => {
        const block = parseBlock(route);
        return block ? [{ ...block, name: `the route ${route} of host ${host.name}` }] : [];
      }),
    );
  const found = new Map<number, string>();
  for (const subnet of subnets) {
    const block = parseBlock(subnet.subnet);
    if (!block) continue;
    const near = subnet.host ? (routes.get(subnet.host) ?? []) : [...routes.values()].flat();
    const met = near.find((route) => route.first <= block.last && route.last >= block.first);
    if (met) found.set(subnet.id, met.name);
  }
  return found;
}
