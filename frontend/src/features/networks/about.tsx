import { Anchor, Card, Stack, TagsInput } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { ActForm } from "@/components/act";
import { Mono } from "@/components/copy";
import { Facts } from "@/components/facts";
import { relabelNetwork } from "@/lib/actions";
import type { Network } from "@/lib/api";
import { formatTime, shorten } from "@/lib/format";
import { useRights } from "@/lib/session";

/** An address plan stays as it was made, as with Docker; labels may change. */
function Labels({ network }: { network: Network }) {
  const [labels, setLabels] = useState(() => Object.entries(network.labels).map(([key, value]) => `${key}=${value}`));
  const pairs = Object.fromEntries(labels.map((text) => [text.split("=")[0] ?? "", text.split("=").slice(1).join("=")]));
  return (
    <Card withBorder maw={560}>
      <ActForm action={relabelNetwork(network, pairs)} done={() => undefined}>
        <TagsInput label="Labels" description="key=value" value={labels} onChange={setLabels} />
      </ActForm>
    </Card>
  );
}

export function About({ network }: { network: Network }) {
  const mayChange = useRights({ network: network.id }).change;
  return (
    <Stack>
      <Shown network={network} />
      {mayChange && !network.predefined && <Labels network={network} />}
    </Stack>
  );
}

function Shown({ network }: { network: Network }) {
  return (
    <Facts
      rows={[
        ["Id", <Mono key="id" text={network.id} shown={shorten(network.id)} what="id" />],
        ["Driver", `${network.driver} (${network.scope})`],
        ["Hosts", network.hosts.join(", ") || "none yet: an overlay comes to a host with its first container there"],
        ["Way out", network.internal ? "none: internal" : "through the host"],
        ["IPv6", network.enable_ipv6 ? "yes" : "no"],
        ["Options", Object.entries(network.options).map(([key, value]) => `${key}=${value}`).join(", ") || "none"],
        ["Labels", Object.entries(network.labels).map(([key, value]) => `${key}=${value}`).join(", ") || "none"],
        ["History", <Anchor key="history" component={Link} to={`/history?subject=${network.id}`} size="sm">its changes</Anchor>],
        ["Created", formatTime(network.created)],
      ]}
    />
  );
}
