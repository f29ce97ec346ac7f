import { Anchor, Card, Group, Stack, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { Act } from "@/components/act";
import { Mono } from "@/components/copy";
import { Facts } from "@/components/facts";
import { Empty } from "@/components/page";
import { State } from "@/components/state";
import { disconnect } from "@/lib/actions";
import type { Container, Endpoint } from "@/lib/api";
import { useMayChange } from "@/lib/session";

function Interface({ endpoint, mayChange }: { endpoint: Endpoint; mayChange: boolean }) {
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
          <State state={endpoint.state} message={endpoint.error} />
        </Group>
        {mayChange && <Act action={disconnect(endpoint)} />}
      </Group>
      <Facts
        rows={[
          ["IPv4", endpoint.ipv4_address ? <Mono key="4" text={`${endpoint.ipv4_address}/${endpoint.ipv4_prefix}`} what="address" /> : "none"],
          ...(endpoint.ipv6_address ? [["IPv6", <Mono key="6" text={`${endpoint.ipv6_address}/${endpoint.ipv6_prefix}`} what="IPv6 address" />] as [string, React.ReactNode]] : []),
          ["MAC", <Mono key="mac" text={endpoint.mac_address} what="MAC address" />],
          ["Aliases", endpoint.aliases.join(", ") || "none"],
          ["Links", endpoint.links.join(", ") || "none"],
          ["Gateway priority", String(endpoint.gateway_priority)],
        ]}
      />
    </Card>
  );
}

export function Interfaces({ container }: { container: Container }) {
  const mayChange = useMayChange();
  const own = container.endpoints.toSorted((one, other) => one.interface.localeCompare(other.interface, undefined, { numeric: true }));
  if (container.host_network) return <Empty title="It shares the network of its host">It has all interfaces of {container.host}, and none of its own.</Empty>;
  if (!own.length) return <Empty title="It is on no network">Connect it to one: it gets an interface, an address and names.</Empty>;
  return (
    <Stack>
      {own.map((endpoint) => (
        <Interface key={endpoint.id} endpoint={endpoint} mayChange={mayChange && !["host", "none"].includes(endpoint.network.name)} />
      ))}
    </Stack>
  );
}
