import { Anchor, Card, Stack, TextInput } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { ActForm } from "@/components/act";
import { Mono } from "@/components/copy";
import { Facts } from "@/components/facts";
import { renameContainer } from "@/lib/actions";
import type { Container } from "@/lib/api";
import { formatTime, shorten } from "@/lib/format";
import { useRights } from "@/lib/session";

function Rename({ container }: { container: Container }) {
  const [name, setName] = useState("");
  return (
    <Card withBorder maw={560}>
      <ActForm action={renameContainer(container, name || "NAME")} ready={Boolean(name)} done={() => setName("")}>
        <TextInput label="New name" description="On every network at once" value={name} onChange={(event) => setName(event.currentTarget.value)} />
      </ActForm>
    </Card>
  );
}

export function About({ container }: { container: Container }) {
  const mayChange = useRights({ container: container.id }).change;
  return (
    <Stack>
      <Shown container={container} />
      {mayChange && <Rename container={container} />}
    </Stack>
  );
}

/** `0.0.0.0:8080 → 80/tcp`; as it was asked for where nothing leads to it now. */
function showPort(port: Container["ports"][number]): string {
  const ways = port.bindings.map(({ address, port: number }) => (address.includes(":") ? `[${address}]:${number}` : `${address}:${number}`));
  return ways.length ? `${ways.join(", ")} → ${port.port}/${port.protocol}` : `${port.asked} (not now)`;
}

function Shown({ container }: { container: Container }) {
  const words = [...container.entrypoint, ...container.command];
  return (
    <Facts
      rows={[
        ["Id", <Mono key="id" text={container.id} shown={shorten(container.id)} what="id" />],
        ["Host", container.host],
        ["Host name", container.hostname],
        ["Image", container.image ? <Mono key="image" text={container.image} shown={`${container.image_name} (${shorten(container.image)})`} what="image id" /> : "none: the host's own root directory"],
        ["Command", words.length ? <Mono key="command" text={words.join(" ")} what="command" /> : "none: a namespace alone"],
        ["Namespace", <Mono key="namespace" text={`ip netns exec ${container.name} ip address`} what="command" />],
        ["Ports", container.ports.map(showPort).join(", ") || "none published"],
        ["Variables", Object.keys(container.env).join(", ") || "none"],
        ["Labels", Object.entries(container.labels).map(([key, value]) => `${key}=${value}`).join(", ") || "none"],
        ["History", <Anchor key="history" component={Link} to={`/history?subject=${container.id}`} size="sm">its changes</Anchor>],
        ["Created", formatTime(container.created)],
        ["Started", container.started ? formatTime(container.started) : "never"],
        ["Ended", container.finished ? `${formatTime(container.finished)}${container.exit_code === null ? "" : `, exit status ${container.exit_code}`}` : ""],
      ]}
    />
  );
}
