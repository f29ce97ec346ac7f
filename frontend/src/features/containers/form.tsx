import { Group, Select, Switch, TagsInput, TextInput } from "@mantine/core";
import { useState } from "react";
import { ActForm } from "@/components/act";
import { createContainer } from "@/lib/actions";
import type { Container } from "@/lib/api";
import { useHosts, useNetworks } from "@/lib/records";

/** Splits as a shell does, as far as quotes are concerned. */
export function splitWords(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map((found) => found[1] ?? found[2] ?? found[3] ?? "");
}

export function ContainerForm({ done, network: given }: { done: (id: string) => void; network?: string }) {
  const hosts = useHosts().data ?? [];
  const networks = useNetworks().data ?? [];
  const [name, setName] = useState("");
  const [host, setHost] = useState<string | null>(null);
  const [network, setNetwork] = useState<string | null>(given ?? null);
  const [address, setAddress] = useState("");
  const [aliases, setAliases] = useState<string[]>([]);
  const [ports, setPorts] = useState<string[]>([]);
  const [image, setImage] = useState("");
  const [line, setLine] = useState("");
  const [start, setStart] = useState(true);
  const where = host ?? hosts[0]?.name;
  const choices = networks.filter((each) => each.host === null || each.host === where);
  const action = createContainer({
    name: name || null,
    host,
    networks: network ? [{ network, ipv4_address: address || null, aliases }] : null,
    ports,
    ...(image && { image }),
    command: splitWords(line),
    start,
  });
  return (
    <ActForm action={action} done={(sent) => done((sent.body as Container | null)?.id ?? "")}>
      <Group grow align="flex-start">
        <TextInput label="Name" description="Empty: one is made up" value={name} onChange={(event) => setName(event.currentTarget.value)} data-autofocus />
        <Select label="Host" description="Empty: the server's own" data={hosts.map((each) => each.name)} value={host} onChange={setHost} clearable searchable />
      </Group>
      <Select
        label="Network"
        description="Empty: the default bridge"
        data={choices.map((each) => ({ value: each.id, label: each.host ? `${each.name} (${each.host})` : each.name }))}
        value={network}
        onChange={setNetwork}
        clearable
        searchable
      />
      <Group grow align="flex-start">
        <TextInput label="IPv4 address" description="Empty: the lowest free one" disabled={!network} value={address} onChange={(event) => setAddress(event.currentTarget.value)} />
        <TagsInput label="Aliases" description="Enter ends each" disabled={!network} value={aliases} onChange={setAliases} />
      </Group>
      <TagsInput label="Published ports" description="8080:80, 127.0.0.1:5353:53/udp, or 80 for a free port; Enter ends each" value={ports} onChange={setPorts} />
      <TextInput label="Image" description="Of the host's store; empty: the host's own root directory" value={image} onChange={(event) => setImage(event.currentTarget.value)} />
      <TextInput label="Command" description={image ? "Empty: the image's own" : "Empty: only its network namespace"} ff="monospace" value={line} onChange={(event) => setLine(event.currentTarget.value)} />
      <Switch label="Start it" checked={start} onChange={(event) => setStart(event.currentTarget.checked)} />
    </ActForm>
  );
}
