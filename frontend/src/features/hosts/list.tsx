import { Anchor, Button, Group, Modal, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconPlus } from "@tabler/icons-react";
import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { Answered, Empty, Page } from "@/components/page";
import { State } from "@/components/state";
import { DataTable, type Column } from "@/components/table";
import type { Host, Schemas } from "@/lib/api";
import { formatAge } from "@/lib/format";
import { useHosts } from "@/lib/records";
import { useIsAdmin } from "@/lib/session";
import { HostForm, JoinCommand } from "./join";

export function HostState({ host }: { host: Host }) {
  const since = host.state === "offline" && host.last_seen ? `Not heard since ${formatAge(host.last_seen)}. What runs there goes on.` : "";
  return (
    <Group gap={4} wrap="nowrap">
      <State state={host.state} message={since} />
      {host.drained && <State state="drained" message="It takes no new containers." />}
      {host.problems.length > 0 && <State state="problem" message={host.problems.join(" ")} />}
    </Group>
  );
}

const columns: Column<Host>[] = [
  {
    name: "Name",
    value: (row) => row.name,
    cell: (row) => (
      <Anchor component={Link} to={`/hosts/${row.name}`} size="sm" fw={600}>
        {row.name}
      </Anchor>
    ),
  },
  { name: "State", value: (row) => row.state, width: "minmax(200px, 1.4fr)", cell: (row) => <HostState host={row} /> },
  { name: "Advertise", value: (row) => row.advertise ?? "", cell: (row) => <Text ff="monospace" size="sm">{row.advertise ?? "none"}</Text> },
  { name: "Lag", value: (row) => row.lag, width: "80px" },
  { name: "Version", value: (row) => row.version, cell: (row) => (row.outdated ? `${row.version}, outdated` : row.version) },
  { name: "Kernel", value: (row) => row.kernel },
  { name: "Heard", value: (row) => row.last_seen ?? "", cell: (row) => (row.last_seen ? formatAge(row.last_seen) : "never") },
];

export default function Hosts() {
  const hosts = useHosts();
  const isAdmin = useIsAdmin();
  const navigate = useNavigate();
  const [adding, { open, close }] = useDisclosure(false);
  const [invited, setInvited] = useState<Schemas["Invited"] | null>(null);
  return (
    <Page
      title="Hosts"
      actions={
        isAdmin && (
          <Button leftSection={<IconPlus size={16} />} onClick={open}>
            Add host
          </Button>
        )
      }
    >
      <Answered query={hosts}>
        {() => (
          <DataTable
            label="hosts"
            rows={hosts.data ?? []}
            columns={columns}
            id={(row) => String(row.id)}
            open={(row) => void navigate({ to: "/hosts/$id", params: { id: row.name } })}
            empty={<Empty title="There is no host yet">Add one: a command to run on its machine is shown.</Empty>}
          />
        )}
      </Answered>
      <Modal opened={adding} onClose={close} title="Add host">
        <HostForm
          done={(host) => {
            close();
            setInvited(host);
          }}
        />
      </Modal>
      <JoinCommand host={invited} close={() => setInvited(null)} />
    </Page>
  );
}
