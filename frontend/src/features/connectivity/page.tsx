import { Alert, Badge, Button, Card, Code, Group, Modal, MultiSelect, Select, Stack, Switch, Text } from "@mantine/core";
import { IconRefresh } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { useEffect, useMemo, useState } from "react";
import { Mono } from "@/components/copy";
import { Answered, Empty, Page } from "@/components/page";
import { api, get, type Schemas } from "@/lib/api";
import { useContainers, useNetworks } from "@/lib/records";

type Matrix = Schemas["Matrix"];
type Cell = Schemas["Cell"];

const AGAIN = 5000; // ms between measurements; the next one waits for the last

function wordOf(cell: Cell): { text: string; color: string; told: string } {
  if (!cell.reachable) return { text: "✕", color: "#b02525", told: "not reached" };
  const rtt = cell.rtt_ms == null ? "" : cell.rtt_ms < 10 ? cell.rtt_ms.toFixed(2) : cell.rtt_ms.toFixed(0);
  if (cell.name === false) return { text: rtt, color: "#8f4a00", told: "reached by address, its name is not known" };
  return { text: rtt, color: "#1f7a33", told: `reached in ${rtt} ms${cell.name ? ", by name too" : ", names not asked"}` };
}

function Grid({ matrix, open }: { matrix: Matrix; open: (from: string, to: string) => void }) {
  const cells = useMemo(() => new Map(matrix.cells.map((cell) => [cell.source + cell.target, cell])), [matrix]);
  return (
    <div style={{ overflow: "auto" }} tabIndex={0} role="region" aria-label="Who reaches whom">
      <table style={{ borderCollapse: "separate", borderSpacing: 2, fontSize: 12 }} data-testid="matrix">
        <thead>
          <tr>
            <th scope="col" style={{ textAlign: "left" }}>
              from ↓ to →
            </th>
            {matrix.containers.map((each) => (
              <th key={each.id} scope="col" style={{ fontWeight: 500, maxWidth: 90, overflow: "hidden", textOverflow: "ellipsis" }} title={each.host}>
                {each.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {matrix.containers.map((source) => (
            <tr key={source.id}>
              <th scope="row" style={{ fontWeight: 500, textAlign: "left", whiteSpace: "nowrap", paddingRight: 8 }}>
                {source.name} {source.state !== "running" && <Badge size="xs">{source.state}</Badge>}
              </th>
              {matrix.containers.map((target) => {
                const cell = cells.get(source.id + target.id);
                if (!cell) return <td key={target.id} aria-label="itself" style={{ background: "var(--mantine-color-default-hover)" }} />;
                const { text, color, told } = wordOf(cell);
                return (
                  <td key={target.id} style={{ padding: 0 }}>
                    <button
                      type="button"
                      aria-label={`${source.name} to ${target.name}: ${told}`}
                      title={cell.reason || told}
                      data-pair={`${source.name} ${target.name}`}
                      data-reachable={cell.reachable}
                      onClick={() => open(source.id, target.id)}
                      style={{ width: 58, height: 28, border: 0, borderRadius: 4, cursor: "pointer", background: color, color: "white" }}
                    >
                      {text}
                    </button>
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The way from one to the other, step by step, as `netadmin check` tells it. */
function Why({ from, to, close }: { from: string; to: string; close: () => void }) {
  const found = useQuery({
    queryKey: ["check", from, to],
    queryFn: () => get(api.GET("/api/v1/check/", { params: { query: { from, to } } })),
    gcTime: 0,
  });
  const told = found.data;
  return (
    <Modal opened onClose={close} size="lg" title={told ? `${told.source.name} to ${told.target?.name ?? told.to}` : "Measuring"}>
      <Answered query={found}>
        {() => (
          <Stack data-testid="why">
            <Alert color={told!.reachable ? "green" : "red"} title={told!.reachable ? "It is reached" : "It is not reached"}>
              {told!.reason || "By address and by name."}
            </Alert>
            {told!.advice && <Text size="sm">{told!.advice}</Text>}
            <Stack gap={4} component="ol" pl="md" m={0}>
              {told!.path.map((step, index) => (
                <Text key={index} component="li" size="sm">
                  <Badge size="sm" className={`state-${step.ok ? "green" : "red"}`} color={step.ok ? "green" : "red"} variant="light" mr={6}>
                    {step.ok ? "ok" : "no"} {step.step}
                  </Badge>
                  {step.detail}
                </Text>
              ))}
            </Stack>
            <Mono text={`netadmin check ${told!.source.name} ${told!.target?.name ?? told!.to}`} what="command line" />
            <Group justify="flex-end">
              <Button variant="default" leftSection={<IconRefresh size={14} />} loading={found.isFetching} onClick={() => void found.refetch()}>
                Measure again
              </Button>
            </Group>
          </Stack>
        )}
      </Answered>
    </Modal>
  );
}

export default function Connectivity() {
  const search = useSearch({ from: "/connectivity" });
  const networks = useNetworks().data ?? [];
  const containers = useContainers().data ?? [];
  const [network, setNetwork] = useState<string | null>(search.network ?? null);
  const [chosen, setChosen] = useState<string[]>([]);
  const [goesOn, setGoesOn] = useState(true);
  const [why, setWhy] = useState<{ from: string; to: string } | null>(null);
  useEffect(() => setNetwork(search.network ?? null), [search.network]);
  const query = network ? { network } : { container: chosen };
  const matrix = useQuery({
    queryKey: ["matrix", query],
    queryFn: () => get(api.GET("/api/v1/matrix/", { params: { query } })),
    enabled: Boolean(network) || chosen.length > 1,
    // Measured only while somebody looks.
    refetchInterval: goesOn ? AGAIN : false,
    gcTime: 0,
  });
  const asked = Boolean(network) || chosen.length > 1;
  return (
    <Page
      title="Connectivity"
      actions={<Switch label={`Again every ${AGAIN / 1000} s`} checked={goesOn} onChange={(event) => setGoesOn(event.currentTarget.checked)} />}
    >
      <Group align="flex-end">
        <Select
          label="All of a network"
          placeholder="none"
          data={networks
            .filter((each) => !["host", "null"].includes(each.driver))
            .map((each) => ({ value: each.id, label: each.host ? `${each.name} (${each.host})` : each.name }))}
          value={network}
          onChange={(value) => {
            setNetwork(value);
            if (value) setChosen([]);
          }}
          searchable
          clearable
        />
        <MultiSelect
          label="or these containers"
          data={containers.filter((each) => !each.host_network).map((each) => ({ value: each.id, label: `${each.name} (${each.host})` }))}
          value={chosen}
          onChange={(value) => {
            setChosen(value);
            if (value.length) setNetwork(null);
          }}
          searchable
          clearable
          maxValues={64}
          limit={50}
          miw={320}
        />
      </Group>
      {!asked && <Empty title="Choose a network, or two containers and more">Each of them is then asked from inside whether it reaches the others, by address and by name.</Empty>}
      {asked && (
        <Answered query={matrix}>
          {() =>
            matrix.data!.containers.length < 2 ? (
              <Empty title="There is nobody to reach">Two containers make the first pair.</Empty>
            ) : (
              <Card withBorder>
                <Grid matrix={matrix.data!} open={(from, to) => setWhy({ from, to })} />
                <Text size="xs" c="dimmed" mt="xs">
                  Milliseconds there and back, measured in {matrix.data!.seconds.toFixed(2)} s at {new Date(matrix.dataUpdatedAt).toLocaleTimeString()}. A cell
                  tells why; <Code>netadmin check FROM TO</Code> says the same.
                </Text>
              </Card>
            )
          }
        </Answered>
      )}
      {why && <Why from={why.from} to={why.to} close={() => setWhy(null)} />}
    </Page>
  );
}
