import { Button, Modal, MultiSelect } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconPlus } from "@tabler/icons-react";
import { useNavigate } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { Answered, Empty, Page } from "@/components/page";
import { DataTable } from "@/components/table";
import { useContainers } from "@/lib/records";
import { useMayChange } from "@/lib/session";
import { columns } from "./columns";
import { ContainerForm } from "./form";

export default function Containers() {
  const containers = useContainers();
  const mayChange = useMayChange();
  const navigate = useNavigate();
  const [making, { open, close }] = useDisclosure(false);
  const [states, setStates] = useState<string[]>([]);
  const rows = useMemo(
    () => (containers.data ?? []).filter((row) => !states.length || states.includes(row.state)),
    [containers.data, states],
  );
  const create = (
    <Button leftSection={<IconPlus size={16} />} onClick={open}>
      Run container
    </Button>
  );
  return (
    <Page title="Containers" actions={mayChange && create}>
      <Answered query={containers}>
        {() => (
          <DataTable
            label="containers"
            rows={rows}
            columns={columns}
            id={(row) => row.id}
            open={(row) => void navigate({ to: "/containers/$id", params: { id: row.id } })}
            filters={
              <MultiSelect
                aria-label="States"
                placeholder={states.length ? undefined : "All states"}
                data={["created", "starting", "running", "restarting", "stopping", "exited", "failed", "removing"]}
                value={states}
                onChange={setStates}
                clearable
              />
            }
            empty={<Empty title={states.length ? "No container is in these states" : "There is no container yet"}>{states.length ? null : mayChange && create}</Empty>}
          />
        )}
      </Answered>
      <Modal opened={making} onClose={close} title="Run container" size="lg">
        <ContainerForm
          done={(id) => {
            close();
            if (id) void navigate({ to: "/containers/$id", params: { id } });
          }}
        />
      </Modal>
    </Page>
  );
}
