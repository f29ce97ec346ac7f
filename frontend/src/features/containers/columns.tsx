import { Anchor, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { State } from "@/components/state";
import type { Column } from "@/components/table";
import type { Container } from "@/lib/api";

const addressesOf = (row: Container): string => row.endpoints.map((each) => each.ipv4_address ?? each.ipv6_address ?? "").filter(Boolean).join(", ");

/** The worst of what the container and its endpoints say. */
export function messageOf(row: Container): string {
  return row.error || row.endpoints.map((each) => each.error).find(Boolean) || row.exit_message;
}

export const columns: Column<Container>[] = [
  {
    name: "Name",
    value: (row) => row.name,
    cell: (row) => (
      <Anchor component={Link} to={`/containers/${row.id}`} size="sm" fw={600}>
        {row.name}
      </Anchor>
    ),
  },
  { name: "Host", value: (row) => row.host },
  {
    name: "Networks",
    value: (row) => row.endpoints.map((each) => each.network.name).join(", "),
    cell: (row) =>
      row.endpoints.map((each, index) => (
        <span key={each.id}>
          {index ? ", " : ""}
          <Anchor component={Link} to={`/networks/${each.network.id}`} size="sm">
            {each.network.name}
          </Anchor>
        </span>
      )),
  },
  { name: "Addresses", value: addressesOf, cell: (row) => <Text ff="monospace" size="sm" truncate>{addressesOf(row)}</Text> },
  {
    name: "Names",
    value: (row) => row.endpoints.flatMap((each) => [...each.aliases, ...each.links, each.mac_address]).join(" "),
    cell: (row) => [...new Set(row.endpoints.flatMap((each) => each.aliases))].join(", "),
  },
  { name: "State", value: (row) => row.state, width: "130px", cell: (row) => <State state={row.state} message={messageOf(row)} /> },
];
