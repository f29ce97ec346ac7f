import { Alert, Anchor, Button, Group, Stack, Table, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { Answered, Empty } from "@/components/page";
import { api, get, type Container, type Endpoint } from "@/lib/api";
import { useContainers } from "@/lib/records";

type Known = { name: string; step: string; network: string; holders: { container: Container; endpoint: Endpoint }[] };

/** Names by network, in the order of the name service: links of the asker, then names and aliases of the others. */
function namesOf(asker: Container, containers: Container[]): Known[] {
  const found: Known[] = [];
  for (const own of asker.endpoints) {
    const others = containers.flatMap((container) =>
      container.state === "running" ? container.endpoints.filter((each) => each.network.id === own.network.id).map((endpoint) => ({ container, endpoint })) : [],
    );
    for (const link of own.links) {
      const [target = "", alias = target] = link.split(":");
      const holders = others.filter(({ container, endpoint }) => container.name === target || endpoint.aliases.includes(target) || container.id.startsWith(target));
      found.push({ name: alias, step: "link", network: own.network.name, holders });
    }
    const named = new Map<string, Known>();
    for (const other of others.toSorted((one, two) => one.endpoint.created.localeCompare(two.endpoint.created)))
      for (const name of other.endpoint.dns_names) {
        if (other.container.id.startsWith(name)) continue;
        const step = name === other.container.name ? "name" : "alias";
        const known = named.get(name) ?? { name, step, network: own.network.name, holders: [] };
        known.holders.push(other);
        named.set(name, known);
      }
    found.push(...named.values());
  }
  return found;
}

function Ask({ container }: { container: Container }) {
  const [name, setName] = useState("");
  const [asked, setAsked] = useState("");
  const found = useQuery({
    queryKey: ["names", container.id, asked],
    queryFn: () => get(api.GET("/api/v1/resolve/", { params: { query: { from: container.id, name: asked } } })),
    enabled: Boolean(asked),
    gcTime: 0,
  });
  const told = found.data;
  return (
    <Stack gap="xs">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          setAsked(name.trim());
          if (name.trim() === asked) void found.refetch();
        }}
      >
        <Group align="flex-end" gap="xs">
          <TextInput label="Ask its name service" placeholder="a name" value={name} onChange={(event) => setName(event.currentTarget.value)} />
          <Button type="submit" disabled={!name.trim()} loading={found.isFetching}>
            Ask
          </Button>
        </Group>
      </form>
      {asked && (
        <Answered query={found}>
          {() => (
            <Alert color={told!.answers.length ? "green" : "gray"} data-testid="answer">
              {told!.answers.length ? `${told!.name} is ${told!.answers.join(", ")}, known by ${told!.step}.` : told!.error || `${told!.name} is not known (${told!.rcode}, ${told!.step}).`}
            </Alert>
          )}
        </Answered>
      )}
    </Stack>
  );
}

export function Names({ container }: { container: Container }) {
  const containers = useContainers().data;
  const names = useMemo(() => namesOf(container, containers ?? []), [container, containers]);
  return (
    <Stack>
      {container.state === "running" && !container.host_network && <Ask container={container} />}
      {names.length ? (
        <Table aria-label="Names that it can resolve">
          <Table.Thead>
            <Table.Tr>
              {["Name", "By", "Network", "Answers now"].map((head) => (
                <Table.Th key={head}>{head}</Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {names.map((each) => (
              <Table.Tr key={`${each.network} ${each.step} ${each.name}`}>
                <Table.Td>{each.name}</Table.Td>
                <Table.Td>{each.step}</Table.Td>
                <Table.Td>{each.network}</Table.Td>
                <Table.Td>
                  {each.holders.map((holder) => (
                    <Text key={holder.endpoint.id} size="sm" component="span" mr={8}>
                      <Anchor component={Link} to={`/containers/${holder.container.id}`} size="sm">
                        {holder.container.name}
                      </Anchor>{" "}
                      {holder.endpoint.ipv4_address ?? holder.endpoint.ipv6_address}
                    </Text>
                  ))}
                  {!each.holders.length && "nobody"}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      ) : (
        <Empty title="It knows no names">The default bridge has no name service; a network of your own has one.</Empty>
      )}
    </Stack>
  );
}
