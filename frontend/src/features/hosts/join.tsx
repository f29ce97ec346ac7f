import { Button, Code, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { ActForm } from "@/components/act";
import { Copy } from "@/components/copy";
import { addHost } from "@/lib/actions";
import type { Schemas } from "@/lib/api";

/** The command with which a machine becomes a host: it is shown this once. */
export function JoinCommand({ host, close }: { host: Schemas["Invited"] | null; close: () => void }) {
  return (
    <Modal opened={host !== null} onClose={close} title={`Join ${host?.name ?? ""}`} size="lg">
      <Stack>
        <Text size="sm">Run this on the machine, as root. It works once, and is shown only now:</Text>
        <Group gap={4} wrap="nowrap" align="flex-start">
          <Code block className="wrapping" style={{ flex: 1 }} data-testid="join">
            {host?.join_command}
          </Code>
          <Copy text={host?.join_command ?? ""} what="join command" />
        </Group>
        <Group justify="flex-end">
          <Button onClick={close}>Done</Button>
        </Group>
      </Stack>
    </Modal>
  );
}

export function HostForm({ done }: { done: (host: Schemas["Invited"]) => void }) {
  const [name, setName] = useState("");
  const [advertise, setAdvertise] = useState("");
  const action = addHost({ name, advertise: advertise || null });
  return (
    <ActForm action={action} ready={Boolean(name)} done={(sent) => done(sent.body as Schemas["Invited"])}>
      <TextInput label="Name" required value={name} onChange={(event) => setName(event.currentTarget.value)} data-autofocus />
      <TextInput
        label="Advertise address"
        description="Its own address, at which the other hosts reach it; overlay networks need it"
        value={advertise}
        onChange={(event) => setAdvertise(event.currentTarget.value)}
      />
    </ActForm>
  );
}
