import { Anchor, Badge, Button, Code, Group, Progress, ScrollArea, Stack, Table, Tabs, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconArrowsCross, IconPlugConnected } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { Act } from "@/components/act";
import { Copy, Mono } from "@/components/copy";
import { Answered, Empty, Page, Problem } from "@/components/page";
import { Attachment, State } from "@/components/state";
import { Attach } from "@/features/containers/attach";
import { disconnect, removeNetwork } from "@/lib/actions";
import { api, get, Refusal, type Network } from "@/lib/api";
import { formatRate } from "@/lib/format";
import { useMembers, useNetworks } from "@/lib/records";
import { useRights, type Rights } from "@/lib/session";
import { useRates, useStatistics, type Rate } from "@/lib/statistics";
import { About } from "./about";
import { AddressMap } from "./address-map";
import { Kernel } from "./kernel";
import { membersOf, type Member } from "./members";

/** Who answers an alias now: all running holders, in the order in which they were connected. */
function answering(members: Member[]): Map<string, Member[]> {
  const found = new Map<string, Member[]>();
  for (const member of members) for (const alias of member.endpoint.aliases) found.set(alias, [...(found.get(alias) ?? []), member]);
  return found;
}

const RUNNING = "running";
const wired = (network: Network): boolean => !["host", "null"].includes(network.driver);

/** A network goes only when nobody on it runs. */
function inTheWay(members: Member[]): string {
  const names = members.filter(({ container }) => container.wanted === RUNNING || container.state === RUNNING).map(({ container }) => container.name);
  return names.length ? `These run on it; disconnect or stop them first: ${names.join(", ")}.` : "";
}

function Traffic({ rate, errors }: { rate?: Rate; errors: number }) {
  return (
    <>
      <Text size="xs">
        <span title="received">↓</span> {formatRate(rate?.rx ?? 0)} <span title="sent">↑</span> {formatRate(rate?.tx ?? 0)}
      </Text>
      <Text size="xs" c={errors ? "red" : "dimmed"}>
        {errors === 1 ? "1 error" : `${errors} errors`}
      </Text>
    </>
  );
}

function Members({ network, members, rights }: { network: Network; members: Member[]; rights: Rights }) {
  const statistics = useStatistics({ network: network.id }, members.some(({ container }) => container.state === RUNNING));
  const rates = useRates(statistics.data);
  const errors = new Map(statistics.data?.interfaces.map((each) => [each.endpoint, each.rx_errors + each.tx_errors]));
  return (
    <Table.ScrollContainer minWidth={760}>
      <Table striped aria-label="Endpoints" data-testid="endpoints">
        <Table.Thead>
          <Table.Tr>
            {["Container", "Address", "MAC", "Interface", "Aliases", "Links", "Traffic", "State", ""].map((name) => (
              <Table.Th key={name}>{name || <span hidden>Actions</span>}</Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {members.map(({ container, endpoint }) => (
            <Table.Tr key={endpoint.id} className="fresh" data-container={container.name}>
              <Table.Td>
                <Anchor component={Link} to={`/containers/${container.id}`} size="sm">
                  {container.name}
                </Anchor>
                <Text size="xs" c="dimmed">
                  {container.host}
                </Text>
              </Table.Td>
              <Table.Td>
                {endpoint.ipv4_address && <Mono text={endpoint.ipv4_address} what="address" />}
                {endpoint.ipv6_address && <Mono text={endpoint.ipv6_address} what="IPv6 address" />}
              </Table.Td>
              <Table.Td>
                <Mono text={endpoint.mac_address} what="MAC address" />
              </Table.Td>
              <Table.Td>{endpoint.interface}</Table.Td>
              <Table.Td className="wrapping">{endpoint.aliases.join(", ")}</Table.Td>
              <Table.Td className="wrapping">{endpoint.links.join(", ")}</Table.Td>
              <Table.Td style={{ whiteSpace: "nowrap" }}>
                <Traffic rate={rates.get(endpoint.id)?.at(-1)} errors={errors.get(endpoint.id) ?? 0} />
              </Table.Td>
              <Table.Td>
                <Attachment container={container} endpoint={endpoint} />
              </Table.Td>
              <Table.Td>{wired(network) && rights.endpoint(endpoint.id) && <Act action={disconnect(endpoint)} />}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Aliases({ members }: { members: Member[] }) {
  const aliases = [...answering(members)].sort(([one], [other]) => one.localeCompare(other));
  if (!aliases.length) return <Empty title="No aliases">An alias is a name that several containers may offer; the first that runs answers first.</Empty>;
  return (
    <Table aria-label="Aliases">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Alias</Table.Th>
          <Table.Th>Answers now</Table.Th>
          <Table.Th>Next</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {aliases.map(([alias, holders]) => {
          const running = holders.filter((each) => each.container.state === "running");
          const next = holders.filter((each) => each.container.state !== "running");
          return (
            <Table.Tr key={alias} data-alias={alias}>
              <Table.Td>{alias}</Table.Td>
              <Table.Td>{running.map((each) => `${each.container.name} (${each.endpoint.ipv4_address ?? ""})`).join(", ") || "nobody"}</Table.Td>
              <Table.Td c="dimmed">{next.map((each) => `${each.container.name} (${each.container.state})`).join(", ")}</Table.Td>
            </Table.Tr>
          );
        })}
      </Table.Tbody>
    </Table>
  );
}

function Subnets({ network, members }: { network: Network; members: Member[] }) {
  if (!network.subnets.length) return <Empty title="No subnets">This driver hands out no addresses.</Empty>;
  return (
    <Stack>
      {network.subnets.map((subnet) => {
        const all = subnet.used + subnet.free;
        return (
          <Stack key={subnet.subnet} gap={4}>
            <Group justify="space-between">
              <Mono text={subnet.subnet} what="subnet" />
              <Text size="sm" c="dimmed">
                gateway {subnet.gateway ?? "none"}
                {subnet.ip_range ? `, automatic from ${subnet.ip_range}` : ""}, {subnet.used.toLocaleString()} used, {subnet.free.toLocaleString()} free
              </Text>
            </Group>
            <Progress value={all ? (100 * subnet.used) / all : 0} aria-label={`Use of ${subnet.subnet}`} />
            <AddressMap
              subnet={subnet}
              held={members.flatMap(({ container, endpoint }) => (endpoint.ipv4_address ? [{ address: endpoint.ipv4_address, name: container.name }] : []))}
            />
            {Object.entries(subnet.aux_addresses).map(([name, address]) => (
              <Text size="sm" key={name}>
                {address} is kept for {name}
              </Text>
            ))}
          </Stack>
        );
      })}
    </Stack>
  );
}

function Inspect({ network }: { network: Network }) {
  const shown = useQuery({
    queryKey: ["inspect", network.id],
    queryFn: () => get(api.GET("/api/v1/networks/{id}/inspect/", { params: { path: { id: network.id } } })),
  });
  return (
    <Answered query={shown}>
      {() => {
        const text = JSON.stringify([shown.data], null, 4);
        return (
          <Stack gap="xs">
            <Group gap={4}>
              <Code>netadmin network inspect {network.name}</Code>
              <Copy text={text} what="JSON" />
            </Group>
            <ScrollArea.Autosize mah="60vh">
              <Code block>{text}</Code>
            </ScrollArea.Autosize>
          </Stack>
        );
      }}
    </Answered>
  );
}

function Known({ network }: { network: Network }) {
  const members = membersOf(useMembers(network.id), network);
  const rights = useRights({ network: network.id });
  const mayChange = rights.change && wired(network);
  const navigate = useNavigate();
  const [attaching, { open, close }] = useDisclosure(false);
  const removable = mayChange && !network.predefined;
  return (
    <Page
      title={network.name}
      beside={
        <>
          <State state={network.state} message={network.error} />
          <Badge variant="outline">{network.driver}</Badge>
        </>
      }
      actions={
        <>
          <Button component={Link} to={`/connectivity?network=${network.id}`} size="xs" variant="default" leftSection={<IconArrowsCross size={14} />}>
            Who reaches whom
          </Button>
          {mayChange && (
            <Button size="xs" leftSection={<IconPlugConnected size={14} />} onClick={open}>
              Connect
            </Button>
          )}
          {removable && <Act action={removeNetwork(network)} blocked={inTheWay(members)} after={() => void navigate({ to: "/networks" })} />}
        </>
      }
    >
      {network.error && <Problem error={new Error(network.error)} />}
      <Tabs defaultValue="endpoints" keepMounted={false}>
        <Tabs.List mb="md">
          <Tabs.Tab value="endpoints">Endpoints ({members.length})</Tabs.Tab>
          <Tabs.Tab value="aliases">Aliases</Tabs.Tab>
          <Tabs.Tab value="subnets">Subnets</Tabs.Tab>
          <Tabs.Tab value="kernel">Kernel</Tabs.Tab>
          <Tabs.Tab value="facts">About</Tabs.Tab>
          <Tabs.Tab value="inspect">Inspect</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="endpoints">
          {members.length ? (
            <Members network={network} members={members} rights={rights} />
          ) : (
            <Empty title="No container is on this network">{mayChange && <Button onClick={open}>Connect a container</Button>}</Empty>
          )}
        </Tabs.Panel>
        <Tabs.Panel value="aliases">
          <Aliases members={members} />
        </Tabs.Panel>
        <Tabs.Panel value="subnets">
          <Subnets network={network} members={members} />
        </Tabs.Panel>
        <Tabs.Panel value="kernel">
          <Kernel network={network} members={members} />
        </Tabs.Panel>
        <Tabs.Panel value="facts">
          <About network={network} />
        </Tabs.Panel>
        <Tabs.Panel value="inspect">
          <Inspect network={network} />
        </Tabs.Panel>
      </Tabs>
      <Attach network={network.id} opened={attaching} close={close} />
    </Page>
  );
}

export default function NetworkPage() {
  const { id } = useParams({ from: "/networks/$id" });
  const networks = useNetworks();
  return (
    <Answered query={networks}>
      {() => {
        const network = networks.data?.find((each) => each.id === id || each.name === id);
        return network ? <Known network={network} /> : <Problem error={new Refusal(404, "", "This network does not exist, or was removed.")} />;
      }}
    </Answered>
  );
}
