import { Alert, Stack, Tabs, Text } from "@mantine/core";
import { useNavigate, useParams } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { Act } from "@/components/act";
import { Mono } from "@/components/copy";
import { Facts } from "@/components/facts";
import { Answered, Empty, Page, Problem } from "@/components/page";
import { Ask } from "@/components/plan";
import { DataTable } from "@/components/table";
import { columns } from "@/features/containers/columns";
import { driveHost, removeHost } from "@/lib/actions";
import { api, get, Refusal, type Host, type Schemas } from "@/lib/api";
import { count, formatAge, formatSeconds, formatTime } from "@/lib/format";
import { useContainers, useHosts, useNetworks } from "@/lib/records";
import { useIsAdmin } from "@/lib/session";
import { HostState } from "./list";
import { JoinCommand } from "./join";

function Verbs({ host, containers }: { host: Host; containers: number }) {
  const navigate = useNavigate();
  const [invited, setInvited] = useState<Schemas["Invited"] | null>(null);
  const blocked = containers ? `${count(containers, "container")} on it must be removed first.` : "";
  return (
    <>
      <Act action={driveHost(host, host.drained ? "undrain" : "drain")} />
      {!host.own && (
        <>
          <Act action={driveHost(host, "renew")} after={(sent) => setInvited(sent.body as Schemas["Invited"])} />
          {host.state !== "revoked" && <Act action={driveHost(host, "revoke")} />}
          <Act action={removeHost(host)} blocked={blocked} after={() => void navigate({ to: "/hosts" })} />
        </>
      )}
      <JoinCommand host={invited} close={() => setInvited(null)} />
    </>
  );
}

function About({ host }: { host: Host }) {
  return (
    <Facts
      rows={[
        ["Advertise address", host.advertise ? <Mono key="address" text={host.advertise} what="address" /> : "none: no overlay network can be on it"],
        ["Heard", host.last_seen ? `${formatAge(host.last_seen)} (${formatTime(host.last_seen)})` : "never"],
        ["Revision", `${host.acked_revision} of ${host.revision}${host.lag ? `: ${host.lag} behind` : ""}`],
        ["Version", `${host.version || "unknown"}${host.outdated ? ", another than the server's: update its worker" : ""}`],
        ["Kernel", host.kernel || "unknown"],
        ["Own addresses", Object.entries(host.underlays).map(([address, mtu]) => `${address} (MTU ${mtu})`).join(", ") || "unknown"],
        ["Routes", host.routes.join(", ") || "none"],
        ["Name servers", host.nameservers.join(", ") || "none"],
        ["Last full look", host.look ? `${formatAge(host.look.at)}, took ${Math.round(host.look.took_ms)} ms` : "none yet"],
        ["Objects of ours", host.look ? Object.entries(host.look.objects).map(([kind, number]) => `${kind} ${number}`).join(", ") || "none" : "unknown"],
        ["Added", formatTime(host.created)],
      ]}
    />
  );
}

/** What something else had changed behind our back. */
function Drift({ host }: { host: Host }) {
  if (!host.look?.drift.length) return <Empty title="No drift was found">What something else changes of ours on the host is put right at once, or when everything is looked at once a minute, and told here.</Empty>;
  return (
    <Stack gap={4} data-testid="drift">
      {host.look.drift.map((each, index) => (
        <Text key={index} size="sm">
          <Text span c="dimmed" size="sm">
            {formatTime(each.at)}
          </Text>{" "}
          {each.text} It was wrong for {each.noticed ? "" : "at most "}
          {formatSeconds(each.seconds ?? 0)}.
        </Text>
      ))}
    </Stack>
  );
}

function Known({ host }: { host: Host }) {
  const isAdmin = useIsAdmin();
  const navigate = useNavigate();
  const containers = useContainers().data;
  const networks = useNetworks().data;
  const own = useMemo(() => (containers ?? []).filter((each) => each.host === host.name), [containers, host.name]);
  const here = (networks ?? []).filter((each) => each.hosts.includes(host.name));
  return (
    <Page title={host.name} beside={<HostState host={host} />} actions={isAdmin && <Verbs host={host} containers={own.length} />}>
      {host.problems.map((problem) => (
        <Alert key={problem} color="orange" title="Problem">
          {problem}
        </Alert>
      ))}
      <Tabs defaultValue="about" keepMounted={false}>
        <Tabs.List mb="md">
          <Tabs.Tab value="about">About</Tabs.Tab>
          <Tabs.Tab value="containers">Containers ({own.length})</Tabs.Tab>
          <Tabs.Tab value="drift">Drift{host.look?.drift.length ? ` (${host.look.drift.length})` : ""}</Tabs.Tab>
          <Tabs.Tab value="networks">Networks ({here.length})</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="about">
          <About host={host} />
        </Tabs.Panel>
        <Tabs.Panel value="drift">
          <Stack>
            <Drift host={host} />
            <Ask label="Show what would be mended now" about={host.name} ask={async () => [await get(api.GET("/api/v1/hosts/{id}/plan/", { params: { path: { id: host.name } } }))]} />
          </Stack>
        </Tabs.Panel>
        <Tabs.Panel value="containers">
          <DataTable
            label="containers"
            rows={own}
            columns={columns}
            id={(row) => row.id}
            open={(row) => void navigate({ to: "/containers/$id", params: { id: row.id } })}
            empty={<Empty title="No container is on this host">Run one with --host {host.name}.</Empty>}
          />
        </Tabs.Panel>
        <Tabs.Panel value="networks">
          <Stack gap={4}>
            {here.map((each) => (
              <Text key={each.id} size="sm">
                {each.name} ({each.driver}) {each.subnets.map((subnet) => subnet.subnet).join(", ")}
              </Text>
            ))}
          </Stack>
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}

export default function HostPage() {
  const { id } = useParams({ from: "/hosts/$id" });
  const hosts = useHosts();
  return (
    <Answered query={hosts}>
      {() => {
        const host = hosts.data?.find((each) => each.name === id);
        return host ? <Known host={host} /> : <Problem error={new Refusal(404, "", "This host does not exist, or was removed.")} />;
      }}
    </Answered>
  );
}
