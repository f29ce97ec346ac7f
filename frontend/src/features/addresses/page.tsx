import { Anchor, Progress, Table, Tabs, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { Mono } from "@/components/copy";
import { Answered, Empty, Page } from "@/components/page";
import { Attachment, State, stateOf } from "@/components/state";
import { DataTable, type Column } from "@/components/table";
import { api, get, list, type Container, type Endpoint, type Subnet } from "@/lib/api";
import { useContainers, useHosts } from "@/lib/records";
import { findOverlaps } from "./overlap";

type Held = { container: Container; endpoint: Endpoint };

const held: Column<Held>[] = [
  { name: "Address", width: "160px", value: ({ endpoint }) => endpoint.ipv4_address ?? "", cell: ({ endpoint }) => endpoint.ipv4_address && <Mono text={endpoint.ipv4_address} what="address" /> },
  { name: "IPv6 address", width: "minmax(150px, 1.4fr)", value: ({ endpoint }) => endpoint.ipv6_address ?? "", cell: ({ endpoint }) => endpoint.ipv6_address && <Mono text={endpoint.ipv6_address} what="IPv6 address" /> },
  { name: "MAC", value: ({ endpoint }) => endpoint.mac_address, width: "200px", cell: ({ endpoint }) => <Mono text={endpoint.mac_address} what="MAC address" /> },
  {
    name: "Container",
    value: ({ container, endpoint }) => [container.name, ...endpoint.aliases].join(" "),
    cell: ({ container }) => (
      <Anchor component={Link} to={`/containers/${container.id}`} size="sm">
        {container.name}
      </Anchor>
    ),
  },
  {
    name: "Network",
    value: ({ endpoint }) => endpoint.network.name,
    cell: ({ endpoint }) => (
      <Anchor component={Link} to={`/networks/${endpoint.network.id}`} size="sm">
        {endpoint.network.name}
      </Anchor>
    ),
  },
  { name: "Host", value: ({ container }) => container.host },
  { name: "State", value: ({ container, endpoint }) => stateOf(container, endpoint), width: "120px", cell: (row) => <Attachment {...row} /> },
];

const share = (row: Subnet): number => (100 * row.used) / Math.max(1, row.used + row.free);

function subnetColumns(overlaps: Map<number, string>): Column<Subnet>[] {
  return [
    { name: "Subnet", value: (row) => row.subnet, cell: (row) => <Text ff="monospace" size="sm">{row.subnet}</Text> },
    {
      name: "Network",
      value: (row) => row.network?.name ?? "",
      cell: (row) =>
        row.network && (
          <Anchor component={Link} to={`/networks/${row.network.id}`} size="sm">
            {row.network.name}
          </Anchor>
        ),
    },
    { name: "Host", value: (row) => row.host ?? "all", width: "110px" },
    { name: "Gateway", value: (row) => row.gateway ?? "" },
    { name: "Used", value: (row) => row.used, width: "80px", cell: (row) => row.used.toLocaleString() },
    { name: "Free", value: (row) => row.free, width: "100px", cell: (row) => row.free.toLocaleString() },
    { name: "In use", value: share, width: "110px", cell: (row) => <Progress value={share(row)} color={share(row) > 80 ? "orange" : "blue"} aria-label={`Use of ${row.subnet}`} /> },
    {
      name: "Overlaps",
      value: (row) => overlaps.get(row.id) ?? "",
      cell: (row) => (overlaps.has(row.id) ? <State state="problem" message={`It overlaps ${overlaps.get(row.id)}.`} /> : "none"),
    },
  ];
}

function Subnets() {
  const hosts = useHosts().data;
  const subnets = useQuery({
    queryKey: ["subnets"],
    queryFn: () => list<Subnet>((offset, limit) => get(api.GET("/api/v1/subnets/", { params: { query: { offset, limit } } }))),
  });
  const columns = useMemo(() => subnetColumns(findOverlaps(subnets.data ?? [], hosts ?? [])), [subnets.data, hosts]);
  return (
    <Answered query={subnets}>
      {() => (
        <DataTable label="subnets" rows={subnets.data ?? []} columns={columns} id={(row) => String(row.id)} empty={<Empty title="There is no subnet">A network brings its own.</Empty>} />
      )}
    </Answered>
  );
}

function Pools() {
  const pools = useQuery({ queryKey: ["pools"], queryFn: () => get(api.GET("/api/v1/pools/", { params: { query: { limit: 1000 } } })) });
  return (
    <Answered query={pools}>
      {() => (
        <Table aria-label="Pools">
          <Table.Thead>
            <Table.Tr>
              {["Name", "Block", "Cut into", "For"].map((name) => (
                <Table.Th key={name}>{name}</Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {pools.data?.results.map((each) => (
              <Table.Tr key={each.id}>
                <Table.Td>{each.name}</Table.Td>
                <Table.Td ff="monospace">{each.base}</Table.Td>
                <Table.Td>/{each.size}</Table.Td>
                <Table.Td>{each.space === "global" ? "overlay networks" : "networks of one host"}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Answered>
  );
}

export default function Addresses() {
  const containers = useContainers();
  const rows = useMemo(
    () => (containers.data ?? []).flatMap((container) => container.endpoints.map((endpoint) => ({ container, endpoint }))),
    [containers.data],
  );
  return (
    <Page title="Addresses">
      <Tabs defaultValue="held" keepMounted={false}>
        <Tabs.List mb="md">
          <Tabs.Tab value="held">Who has which</Tabs.Tab>
          <Tabs.Tab value="subnets">Subnets</Tabs.Tab>
          <Tabs.Tab value="pools">Pools</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="held">
          <Answered query={containers}>
            {() => (
              <DataTable
                label="addresses"
                rows={rows}
                columns={held}
                id={({ endpoint }) => endpoint.id}
                empty={<Empty title="No address is held">A container gets one when it is connected to a network.</Empty>}
                height="calc(100vh - 260px)"
              />
            )}
          </Answered>
        </Tabs.Panel>
        <Tabs.Panel value="subnets">
          <Subnets />
        </Tabs.Panel>
        <Tabs.Panel value="pools">
          <Pools />
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}
