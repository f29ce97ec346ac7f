import { Anchor, Card, Code, Group, Progress, SimpleGrid, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo, type ReactNode } from "react";
import { Answered, Empty, Page } from "@/components/page";
import { State } from "@/components/state";
import { Operations, useOperations } from "@/features/history/page";
import { api, get, type Host, type Network, type Schemas } from "@/lib/api";
import { useHosts, useNetworks } from "@/lib/records";

type Summary = Schemas["Summary"];
type Concern = { key: string; to: string; name: string; kind: string; state: string; message: string };

const FULL = 80; // per cent of the addresses of a subnet
const SHOWN = 12;

function countBy<T>(rows: T[], word: (row: T) => string): [string, number][] {
  const found = new Map<string, number>();
  for (const row of rows) found.set(word(row), (found.get(word(row)) ?? 0) + 1);
  return [...found].sort((one, other) => other[1] - one[1]);
}

const sumOf = (counts: [string, number][]): number => counts.reduce((sum, [, number]) => sum + number, 0);

/** What wants attention: failed first, then what is on its way. */
function concernsOf(hosts: Host[], networks: Network[], summary: Summary | undefined): Concern[] {
  const found: Concern[] = [];
  for (const host of hosts) {
    const row = { key: `h${host.id}`, to: `/hosts/${host.name}`, name: host.name, kind: "host" };
    if (["offline", "revoked"].includes(host.state)) found.push({ ...row, state: host.state, message: "" });
    for (const problem of host.problems) found.push({ ...row, key: row.key + problem, state: "problem", message: problem });
    if (host.lag) found.push({ ...row, key: `l${host.id}`, state: "pending", message: `It is ${host.lag} changes behind.` });
  }
  for (const network of networks)
    if (network.state !== "active")
      found.push({ key: network.id, to: `/networks/${network.id}`, name: network.name, kind: "network", state: network.state, message: network.error });
  for (const each of summary?.concerns ?? [])
    found.push({
      key: `${each.id} ${each.network ?? ""}`,
      to: `/containers/${each.id}`,
      name: each.name,
      kind: each.network ? `endpoint on ${each.network}` : "container",
      state: each.state,
      message: each.message,
    });
  const weight = (each: Concern) => (["failed", "offline", "problem"].includes(each.state) ? 0 : 1);
  return found.sort((one, other) => weight(one) - weight(other));
}

function Tally({ title, to, counts, total }: { title: string; to: string; counts: [string, number][]; total: number }) {
  return (
    <Card withBorder component={Link} to={to} data-testid={`tally-${title.toLowerCase()}`}>
      <Text size="sm" c="dimmed">
        {title}
      </Text>
      <Text fz={30} fw={700} lh={1.2}>
        {total.toLocaleString()}
      </Text>
      <Group gap={6} mt={6}>
        {counts.map(([state, number]) => (
          <Group key={state} gap={4} wrap="nowrap">
            <State state={state} />
            <Text size="xs">{number.toLocaleString()}</Text>
          </Group>
        ))}
      </Group>
    </Card>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Stack gap="xs">
      <Title order={2} size="h4">
        {title}
      </Title>
      {children}
    </Stack>
  );
}

function Concerns({ concerns }: { concerns: Concern[] }) {
  if (!concerns.length) return <Text size="sm">All is as it is wanted.</Text>;
  return (
    <Stack gap={6}>
      {concerns.slice(0, SHOWN).map((each) => (
        <Group key={each.key} gap="xs" wrap="nowrap" align="flex-start">
          <State state={each.state} />
          <Text size="sm">
            <Anchor component={Link} to={each.to} size="sm" underline="always">
              {each.name}
            </Anchor>{" "}
            ({each.kind}) {each.message}
          </Text>
        </Group>
      ))}
      {concerns.length > SHOWN && (
        <Text size="sm" c="dimmed">
          and {(concerns.length - SHOWN).toLocaleString()} more
        </Text>
      )}
    </Stack>
  );
}

function Full({ networks }: { networks: Network[] }) {
  const full = networks
    .flatMap((network) => network.subnets.map((subnet) => ({ network, subnet, share: (100 * subnet.used) / Math.max(1, subnet.used + subnet.free) })))
    .filter((each) => each.share >= FULL)
    .sort((one, other) => other.share - one.share);
  if (!full.length) return <Text size="sm">No subnet is fuller than {FULL} %.</Text>;
  return (
    <Stack gap={6}>
      {full.slice(0, SHOWN).map(({ network, subnet, share }) => (
        <div key={network.id + subnet.subnet}>
          <Text size="sm">
            <Anchor component={Link} to={`/networks/${network.id}`} size="sm" underline="always">
              {network.name}
            </Anchor>{" "}
            {subnet.subnet}: {subnet.free.toLocaleString()} left
          </Text>
          <Progress value={share} color="orange" aria-label={`Use of ${subnet.subnet}`} />
        </div>
      ))}
    </Stack>
  );
}

export default function Overview() {
  const hosts = useHosts();
  const networks = useNetworks();
  // Counted by the server: all containers would be much to load for four numbers.
  const summary = useQuery({ queryKey: ["summary"], queryFn: () => get(api.GET("/api/v1/summary/")) });
  const operations = useOperations({ limit: 15 });
  const concerns = useMemo(() => concernsOf(hosts.data ?? [], networks.data ?? [], summary.data), [hosts.data, networks.data, summary.data]);
  const containers = Object.entries(summary.data?.containers ?? {});
  const endpoints = Object.entries(summary.data?.endpoints ?? {});
  const first = summary.data && !containers.length;
  return (
    <Page title="Overview">
      <Answered query={hosts}>
        {() => (
          <Stack gap="xl">
            <SimpleGrid cols={{ base: 1, xs: 2, lg: 4 }}>
              <Tally title="Hosts" to="/hosts" total={hosts.data?.length ?? 0} counts={countBy(hosts.data ?? [], (each) => each.state)} />
              <Tally title="Networks" to="/networks" total={networks.data?.length ?? 0} counts={countBy(networks.data ?? [], (each) => each.state)} />
              <Tally title="Containers" to="/containers" total={sumOf(containers)} counts={containers} />
              <Tally title="Endpoints" to="/map" total={sumOf(endpoints)} counts={endpoints} />
            </SimpleGrid>
            {first && (
              <Empty title="Nothing runs yet">
                Make a network and run two containers on it:
                <Code block mt="xs" ta="left">
                  {"netadmin network create lab\nnetadmin run -d --net lab --name one\nnetadmin run -d --net lab --name two\nnetadmin exec one ping -c1 two"}
                </Code>
              </Empty>
            )}
            <SimpleGrid cols={{ base: 1, md: 2 }}>
              <Section title="Wants attention">
                <Concerns concerns={concerns} />
              </Section>
              <Section title="Nearly full">
                <Full networks={networks.data ?? []} />
              </Section>
            </SimpleGrid>
            <Section title="Latest changes">
              <Answered query={operations}>{() => <Operations operations={operations.data?.results ?? []} />}</Answered>
            </Section>
          </Stack>
        )}
      </Answered>
    </Page>
  );
}
