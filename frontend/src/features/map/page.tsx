import { Alert, Anchor, Button, Group, Paper, Select, Stack, Text, TextInput } from "@mantine/core";
import { IconFocusCentered, IconSearch } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { lazy, Suspense, useMemo, useState } from "react";
import { Answered, Empty, Page } from "@/components/page";
import { State } from "@/components/state";
import { Attach } from "@/features/containers/attach";
import { useContainers, useHosts, useNetworks } from "@/lib/records";
import { useMayChange } from "@/lib/session";
import { makeGraph, MOST, type Grouping } from "./graph";

const Canvas = lazy(() => import("./canvas"));

export default function Map() {
  const hosts = useHosts();
  const networks = useNetworks();
  const containers = useContainers();
  const mayChange = useMayChange();
  const [grouping, setGrouping] = useState<Grouping>("host");
  const [search, setSearch] = useState("");
  const [only, setOnly] = useState<string | null>(null);
  const [picked, setPicked] = useState<string | null>(null);
  const [attaching, setAttaching] = useState<{ container?: string; network?: string } | null>(null);
  const [fit, setFit] = useState(0);
  const graph = useMemo(
    () => makeGraph({ hosts: hosts.data ?? [], networks: networks.data ?? [], containers: containers.data ?? [], grouping, only }),
    [hosts.data, networks.data, containers.data, grouping, only],
  );
  // Drawn from less than all, the picture would be laid out for what came first.
  const asked = [hosts, networks, containers];
  const everything = {
    isPending: asked.some((each) => each.isPending),
    error: asked.find((each) => each.error)?.error ?? null,
    data: asked.every((each) => each.data) || undefined,
    refetch: () => Promise.all(asked.map((each) => each.refetch())),
  };
  const container = containers.data?.find((each) => each.id === picked);
  const network = networks.data?.find((each) => each.id === picked);
  return (
    <Page
      title="Map"
      actions={
        <Button size="xs" variant="default" leftSection={<IconFocusCentered size={14} />} onClick={() => setFit(fit + 1)}>
          Show all
        </Button>
      }
    >
      <Group gap="xs">
        <TextInput aria-label="Find on the map" placeholder="Find" leftSection={<IconSearch size={16} />} value={search} onChange={(event) => setSearch(event.currentTarget.value)} />
        <Select
          aria-label="Grouped"
          data={[
            { value: "host", label: "Boxes are hosts" },
            { value: "network", label: "Boxes are networks" },
            { value: "none", label: "No boxes" },
          ]}
          value={grouping}
          onChange={(value) => setGrouping((value ?? "host") as Grouping)}
          allowDeselect={false}
        />
        <Select
          aria-label="Only this network"
          placeholder="All networks"
          data={(networks.data ?? []).map((each) => ({ value: each.id, label: each.name }))}
          value={only}
          onChange={setOnly}
          searchable
          clearable
        />
        {mayChange && (
          <Button size="xs" variant="default" onClick={() => setAttaching({})}>
            Connect by list
          </Button>
        )}
      </Group>
      {graph.folded > 0 && (
        <Alert color="gray">
          {graph.folded.toLocaleString()} containers are folded into their groups: more than {MOST.toLocaleString()} would not be readable. Choose one network to see them.
        </Alert>
      )}
      <Answered query={everything}>
        {() =>
          graph.nodes.length ? (
            <Stack gap="xs">
              <Suspense fallback={<Text size="sm">Drawing …</Text>}>
                <Canvas
                  graph={graph}
                  search={search}
                  fit={fit}
                  pick={setPicked}
                  drop={mayChange ? (dropped, on) => setAttaching({ container: dropped, network: on }) : undefined}
                />
              </Suspense>
              <Text size="xs" c="dimmed">
                Round: a container that is well; diamond: on its way; octagon: failed; square: not running. {mayChange && "Drag a container onto a network to connect it."}
              </Text>
              {(container || network) && (
                <Paper withBorder p="sm" data-testid="picked">
                  <Group>
                    <State state={(container ?? network)!.state} message={(container ?? network)!.error} />
                    <Anchor component={Link} to={container ? `/containers/${container.id}` : `/networks/${network!.id}`}>
                      {(container ?? network)!.name}
                    </Anchor>
                    <Text size="sm">
                      {container
                        ? container.endpoints.map((each) => `${each.network.name} ${each.ipv4_address ?? ""}`).join(", ")
                        : network!.subnets.map((each) => each.subnet).join(", ")}
                    </Text>
                  </Group>
                </Paper>
              )}
            </Stack>
          ) : (
            <Empty title="There is nothing to draw yet">Networks and containers appear here as they are made.</Empty>
          )
        }
      </Answered>
      <Attach key={JSON.stringify(attaching)} opened={attaching !== null} close={() => setAttaching(null)} {...attaching} />
    </Page>
  );
}
