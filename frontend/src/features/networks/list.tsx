import { Anchor, Button, Group, MultiSelect, Progress, Text } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { Link, useNavigate } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { Answered, Empty, Page } from "@/components/page";
import { State } from "@/components/state";
import { DataTable, type Column } from "@/components/table";
import type { Network } from "@/lib/api";
import { useContainers, useNetworks } from "@/lib/records";
import { useMayChange } from "@/lib/session";

function shareOf(network: Network): number {
  const size = network.subnets.reduce((sum, subnet) => sum + subnet.used + subnet.free, 0);
  return size ? (100 * network.subnets.reduce((sum, subnet) => sum + subnet.used, 0)) / size : 0;
}

function columnsWith(members: Map<string, number>): Column<Network>[] {
  return [
    {
      name: "Name",
      value: (row) => row.name,
      cell: (row) => (
        <Anchor component={Link} to={`/networks/${row.id}`} size="sm" fw={600}>
          {row.name}
        </Anchor>
      ),
    },
    { name: "Driver", value: (row) => row.driver, width: "90px" },
    { name: "Host", value: (row) => row.host ?? row.hosts.join(", "), cell: (row) => row.host ?? (row.hosts.join(", ") || "none yet") },
    {
      name: "Subnets",
      value: (row) => row.subnets.map((subnet) => subnet.subnet).join(", "),
      width: "minmax(160px, 1.4fr)",
      cell: (row) => <Text ff="monospace" size="sm" truncate>{row.subnets.map((subnet) => subnet.subnet).join(", ") || "none"}</Text>,
    },
    { name: "Containers", value: (row) => members.get(row.id) ?? 0, width: "100px" },
    {
      name: "In use",
      value: shareOf,
      width: "110px",
      cell: (row) => <Progress value={shareOf(row)} color={shareOf(row) > 80 ? "orange" : "blue"} aria-label={`${Math.round(shareOf(row))} % of the addresses of ${row.name}`} />,
    },
    { name: "State", value: (row) => row.state, width: "120px", cell: (row) => <State state={row.state} message={row.error} /> },
  ];
}

export default function Networks() {
  const networks = useNetworks();
  const containers = useContainers();
  const mayChange = useMayChange();
  const navigate = useNavigate();
  const [drivers, setDrivers] = useState<string[]>([]);
  const columns = useMemo(() => {
    const members = new Map<string, number>();
    for (const container of containers.data ?? [])
      for (const endpoint of container.endpoints) members.set(endpoint.network.id, (members.get(endpoint.network.id) ?? 0) + 1);
    return columnsWith(members);
  }, [containers.data]);
  const rows = useMemo(
    () => (networks.data ?? []).filter((row) => !drivers.length || drivers.includes(row.driver)),
    [networks.data, drivers],
  );
  const create = (
    <Button component={Link} to="/networks/new" leftSection={<IconPlus size={16} />}>
      Create network
    </Button>
  );
  return (
    <Page title="Networks" actions={mayChange && create}>
      <Answered query={networks}>
        {() => (
          <DataTable
            label="networks"
            rows={rows}
            columns={columns}
            id={(row) => row.id}
            open={(row) => void navigate({ to: "/networks/$id", params: { id: row.id } })}
            filters={
              <MultiSelect
                aria-label="Drivers"
                placeholder={drivers.length ? undefined : "All drivers"}
                data={["bridge", "overlay", "macvlan", "host", "null"]}
                value={drivers}
                onChange={setDrivers}
                clearable
              />
            }
            empty={
              <Empty title={drivers.length ? "No network of these drivers" : "There is no network yet"}>
                <Group justify="center">{drivers.length ? <Button onClick={() => setDrivers([])}>Show all</Button> : mayChange && create}</Group>
              </Empty>
            }
          />
        )}
      </Answered>
    </Page>
  );
}
