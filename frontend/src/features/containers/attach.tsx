/** Connecting: which container, which network, with which names and address. The same form wherever it is opened. */
import { Group, Modal, NumberInput, Select, TagsInput, TextInput } from "@mantine/core";
import { useState } from "react";
import { ActForm } from "@/components/act";
import { connect } from "@/lib/actions";
import type { Container, Network } from "@/lib/api";
import { useContainers, useNetworks } from "@/lib/records";

type Props = { container?: string; network?: string; opened: boolean; close: () => void };

const fits = (network: Network, container: Container): boolean =>
  (network.host === null || network.host === container.host) &&
  !["host", "null"].includes(network.driver) &&
  !container.endpoints.some((each) => each.network.id === network.id);

export function Attach({ opened, close, ...given }: Props) {
  return (
    <Modal opened={opened} onClose={close} title="Connect a container to a network" size="lg">
      <AttachForm {...given} done={close} />
    </Modal>
  );
}

function AttachForm({ container: givenContainer, network: givenNetwork, done }: { container?: string; network?: string; done: () => void }) {
  const containers = useContainers().data ?? [];
  const networks = useNetworks().data ?? [];
  const [containerId, setContainer] = useState<string | null>(givenContainer ?? null);
  const [networkId, setNetwork] = useState<string | null>(givenNetwork ?? null);
  const [address, setAddress] = useState("");
  const [aliases, setAliases] = useState<string[]>([]);
  const [links, setLinks] = useState<string[]>([]);
  const [priority, setPriority] = useState<number | string>("");
  const container = containers.find((each) => each.id === containerId);
  const network = networks.find((each) => each.id === networkId);
  const wish = {
    ipv4_address: address || null,
    aliases,
    links,
    gateway_priority: typeof priority === "number" ? priority : 0,
  };
  const none = { id: "", name: "CONTAINER" };
  const action = connect(network ?? ({ ...none, name: "NETWORK" } as Network), container ?? none, wish);
  return (
    <ActForm action={action} ready={Boolean(container && network)} done={done}>
      <Group grow align="flex-start">
        <Select
          label="Container"
          data={containers
            .filter((each) => each.id === containerId || !network || fits(network, each))
            .map((each) => ({ value: each.id, label: `${each.name} (${each.host})` }))}
          value={containerId}
          onChange={setContainer}
          searchable
          required
          limit={100}
        />
        <Select
          label="Network"
          data={networks
            .filter((each) => each.id === networkId || !container || fits(each, container))
            .map((each) => ({ value: each.id, label: each.host ? `${each.name} (${each.host})` : each.name }))}
          value={networkId}
          onChange={setNetwork}
          searchable
          required
          limit={100}
        />
      </Group>
      <Group grow align="flex-start">
        <TextInput
          label="IPv4 address"
          description={network?.subnets.length ? `In ${network.subnets.map((each) => each.subnet).join(" or ")}; empty: the lowest free one` : "Empty: the lowest free one"}
          value={address}
          onChange={(event) => setAddress(event.currentTarget.value)}
        />
        <TagsInput label="Aliases" description="Names that everybody on the network sees" value={aliases} onChange={setAliases} />
      </Group>
      <Group grow align="flex-start">
        <TagsInput label="Links" description="CONTAINER:ALIAS, names that only this one sees" value={links} onChange={setLinks} />
        <NumberInput label="Gateway priority" description="The highest gives the default route" value={priority} onChange={setPriority} allowDecimal={false} />
      </Group>
    </ActForm>
  );
}
