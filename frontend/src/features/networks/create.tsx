import { ActionIcon, Alert, Button, Checkbox, Code, Group, Select, Stack, TagsInput, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { IconPlus, IconTrash } from "@tabler/icons-react";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { ActForm } from "@/components/act";
import { Page } from "@/components/page";
import { createNetwork } from "@/lib/actions";
import { send, type Network, type Schemas } from "@/lib/api";
import { useHosts } from "@/lib/records";
import { AddressMap } from "./address-map";

type Wish = { subnet: string; gateway: string; range: string; kept: string[] };
const NONE: Wish = { subnet: "", gateway: "", range: "", kept: [] };

const pairsOf = (texts: string[]): Record<string, string> =>
  Object.fromEntries(texts.map((text) => [text.split("=")[0] ?? "", text.split("=").slice(1).join("=")]));

/** What the server would make of it, or why it would refuse: its own rules, asked while one types. */
function usePlan(body: Schemas["NetworkCreateRequest"]) {
  const [asked] = useDebouncedValue(body, 250);
  return useQuery({
    queryKey: ["plan", asked],
    queryFn: async () => (await send("POST", "/api/v1/networks/plan/", asked)).body as Schemas["Plan"],
    placeholderData: keepPreviousData,
  });
}

function SubnetFields({ wish, change, remove, refusal }: { wish: Wish; change: (wish: Wish) => void; remove: () => void; refusal: (field: string) => string }) {
  return (
    <Group align="flex-start" wrap="wrap">
      <TextInput label="Subnet" placeholder="a free one is chosen" value={wish.subnet} error={refusal("subnet")} onChange={(event) => change({ ...wish, subnet: event.currentTarget.value })} />
      <TextInput label="Gateway" placeholder="the first address" value={wish.gateway} error={refusal("gateway")} onChange={(event) => change({ ...wish, gateway: event.currentTarget.value })} />
      <TextInput label="Automatic from" placeholder="the whole subnet" value={wish.range} error={refusal("ip_range")} onChange={(event) => change({ ...wish, range: event.currentTarget.value })} />
      <TagsInput label="Kept addresses" placeholder="name=address" value={wish.kept} error={refusal("aux_addresses")} onChange={(kept) => change({ ...wish, kept })} />
      <ActionIcon variant="subtle" color="gray" mt={28} aria-label="Leave this subnet out" onClick={remove}>
        <IconTrash size={16} />
      </ActionIcon>
    </Group>
  );
}

export default function CreateNetwork() {
  const navigate = useNavigate();
  const hosts = useHosts().data ?? [];
  const [name, setName] = useState("");
  const [driver, setDriver] = useState("bridge");
  const [host, setHost] = useState<string | null>(null);
  const [wishes, setWishes] = useState<Wish[]>([]);
  const [internal, setInternal] = useState(false);
  const [ipv6, setIpv6] = useState(false);
  const [options, setOptions] = useState<string[]>([]);
  const [labels, setLabels] = useState<string[]>([]);
  const body: Schemas["NetworkCreateRequest"] = {
    name: name || "new-network",
    driver,
    host: driver === "overlay" ? null : host,
    subnets: wishes.map((wish) => ({
      subnet: wish.subnet || null,
      gateway: wish.gateway || null,
      ip_range: wish.range || null,
      aux_addresses: pairsOf(wish.kept),
    })),
    internal,
    enable_ipv6: ipv6,
    options: pairsOf(options),
    labels: pairsOf(labels),
  };
  const plan = usePlan(body).data;
  const refusal = plan?.refusal;
  const blame = (field: string) => (refusal && (refusal.field === field || refusal.field === `subnets.0.${field}`) ? refusal.message : "");
  const known = ["name", "driver", "host", "subnet", "gateway", "ip_range", "aux_addresses"].some((field) => blame(field));
  const action = createNetwork({ ...body, name: name || "NAME" });
  return (
    <Page title="Create network">
      <ActForm action={action} ready={Boolean(name) && !refusal} done={(sent) => void navigate({ to: "/networks/$id", params: { id: (sent.body as Network).id } })}>
        <Group align="flex-start" grow>
          <TextInput label="Name" required value={name} error={blame("name")} onChange={(event) => setName(event.currentTarget.value)} data-autofocus />
          <Select label="Driver" data={["bridge", "overlay", "macvlan"]} value={driver} error={blame("driver")} onChange={(value) => setDriver(value ?? "bridge")} allowDeselect={false} />
          <Select
            label="Host"
            placeholder={driver === "overlay" ? "all of them" : "the server's own"}
            disabled={driver === "overlay"}
            data={hosts.map((each) => each.name)}
            value={host}
            error={blame("host")}
            onChange={setHost}
            clearable
          />
        </Group>
        {wishes.map((wish, index) => (
          <SubnetFields
            key={index}
            wish={wish}
            change={(changed) => setWishes(wishes.with(index, changed))}
            remove={() => setWishes(wishes.filter((_, at) => at !== index))}
            refusal={wishes.length === 1 ? blame : () => ""}
          />
        ))}
        <Group>
          <Button variant="default" size="xs" leftSection={<IconPlus size={14} />} onClick={() => setWishes([...wishes, { ...NONE, subnet: wishes.length ? "" : (plan?.subnets[0]?.subnet ?? "") }])}>
            Choose a subnet
          </Button>
          <Checkbox label="Internal: no way out" checked={internal} onChange={(event) => setInternal(event.currentTarget.checked)} />
          <Checkbox label="IPv6 addresses too" checked={ipv6} onChange={(event) => setIpv6(event.currentTarget.checked)} />
        </Group>
        <Group grow align="flex-start">
          <TagsInput label="Driver options" placeholder={driver === "macvlan" ? "parent=eth0" : "key=value"} value={options} onChange={setOptions} error={blame("options")} />
          <TagsInput label="Labels" placeholder="key=value" value={labels} onChange={setLabels} />
        </Group>
        {refusal && !known && (
          <Alert color="orange" title="It would be refused">
            {refusal.message}
          </Alert>
        )}
        {plan && !refusal && (
          <Stack gap="xs" data-testid="plan">
            <Text size="sm" fw={600}>
              The address plan
            </Text>
            {plan.subnets.map((subnet) => (
              <div key={subnet.subnet}>
                <Text size="sm">
                  <Code>{subnet.subnet}</Code> gateway {subnet.gateway ?? "none"}
                  {subnet.ip_range ? `, automatic from ${subnet.ip_range}` : ""}, {subnet.free.toLocaleString()} addresses to give away
                </Text>
                <AddressMap subnet={subnet} held={[]} />
              </div>
            ))}
          </Stack>
        )}
      </ActForm>
    </Page>
  );
}
