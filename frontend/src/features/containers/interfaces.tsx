import { Anchor, Card, Group, SimpleGrid, Stack, Table, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { Act } from "@/components/act";
import { Mono } from "@/components/copy";
import { Facts } from "@/components/facts";
import { Empty } from "@/components/page";
import { Attachment } from "@/components/state";
import { disconnect } from "@/lib/actions";
import type { Container, Endpoint } from "@/lib/api";
import { formatBytes } from "@/lib/format";
import { useRights } from "@/lib/session";
import { useRates, useStatistics, type Interface as Counted, type Sample } from "@/lib/statistics";

const Rates = lazy(() => import("@/components/rates"));

function Counters({ counted }: { counted: Counted }) {
  const ways = [
    ["Received", counted.rx_packets, counted.rx_bytes, counted.rx_errors, counted.rx_dropped],
    ["Sent", counted.tx_packets, counted.tx_bytes, counted.tx_errors, counted.tx_dropped],
  ] as const;
  return (
    <Table aria-label={`Counters of ${counted.name}`} maw={560} data-testid="counters">
      <Table.Thead>
        <Table.Tr>
          {["", "Packets", "Bytes", "Errors", "Drops"].map((name) => (
            <Table.Th key={name}>{name || <span hidden>Way</span>}</Table.Th>
          ))}
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {ways.map(([way, packets, bytes, errors, drops]) => (
          <Table.Tr key={way}>
            <Table.Td>{way}</Table.Td>
            <Table.Td data-packets={way}>{packets.toLocaleString()}</Table.Td>
            <Table.Td>{formatBytes(bytes)}</Table.Td>
            <Table.Td c={errors ? "red" : undefined}>{errors}</Table.Td>
            <Table.Td c={drops ? "orange" : undefined}>{drops}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

type Props = { container: Container; endpoint: Endpoint; mayChange: boolean; counted?: Counted; samples: Sample[] };

function Interface({ container, endpoint, mayChange, counted, samples }: Props) {
  return (
    <Card withBorder data-interface={endpoint.interface}>
      <Group justify="space-between" mb="xs">
        <Group gap="xs">
          <Text fw={600} ff="monospace">
            {endpoint.interface}
          </Text>
          <Text size="sm">
            on{" "}
            <Anchor component={Link} to={`/networks/${endpoint.network.id}`} size="sm">
              {endpoint.network.name}
            </Anchor>
          </Text>
          <Attachment container={container} endpoint={endpoint} />
        </Group>
        {mayChange && <Act action={disconnect(endpoint)} />}
      </Group>
      <SimpleGrid cols={{ base: 1, md: 2 }}>
        <Facts
          rows={[
            ["IPv4", endpoint.ipv4_address ? <Mono key="4" text={`${endpoint.ipv4_address}/${endpoint.ipv4_prefix}`} what="address" /> : "none"],
            ...(endpoint.ipv6_address ? [["IPv6", <Mono key="6" text={`${endpoint.ipv6_address}/${endpoint.ipv6_prefix}`} what="IPv6 address" />] as [string, React.ReactNode]] : []),
            ["MAC", <Mono key="mac" text={endpoint.mac_address} what="MAC address" />],
            ["MTU", counted ? String(counted.mtu) : "unknown"],
            ["Aliases", endpoint.aliases.join(", ") || "none"],
            ["Links", endpoint.links.join(", ") || "none"],
            ["Gateway priority", String(endpoint.gateway_priority)],
          ]}
        />
        {samples.length > 1 && (
          <Suspense fallback={null}>
            <Rates samples={samples} />
          </Suspense>
        )}
      </SimpleGrid>
      {counted && <Counters counted={counted} />}
    </Card>
  );
}

export function Interfaces({ container }: { container: Container }) {
  const rights = useRights({ container: container.id });
  const own = container.endpoints.toSorted((one, other) => one.interface.localeCompare(other.interface, undefined, { numeric: true }));
  const statistics = useStatistics({ container: container.id }, container.state === "running" && !container.host_network && own.length > 0);
  const rates = useRates(statistics.data);
  if (container.host_network) return <Empty title="It shares the network of its host">It has all interfaces of {container.host}, and none of its own.</Empty>;
  if (!own.length) return <Empty title="It is on no network">Connect it to one: it gets an interface, an address and names.</Empty>;
  return (
    <Stack>
      {own.map((endpoint) => (
        <Interface
          key={endpoint.id}
          container={container}
          endpoint={endpoint}
          mayChange={rights.endpoint(endpoint.id)}
          counted={statistics.data?.interfaces.find((each) => each.endpoint === endpoint.id)}
          samples={rates.get(endpoint.id) ?? []}
        />
      ))}
    </Stack>
  );
}
