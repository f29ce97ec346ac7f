import { Anchor, Button, Code, Group, Select, Stack, Table, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link, useSearch } from "@tanstack/react-router";
import { Fragment, useState } from "react";
import { Answered, Empty, Page } from "@/components/page";
import { State } from "@/components/state";
import { api, get, type Operation } from "@/lib/api";
import { formatAge, formatSeconds, formatTime } from "@/lib/format";
import { useHosts } from "@/lib/records";

const PAGE = 50;

function Subject({ operation }: { operation: Operation }) {
  const places: Record<string, string> = { network: "networks", container: "containers", host: "hosts" };
  const place = places[operation.subject];
  if (!place || operation.action.endsWith(".remove")) return <>{operation.subject_name}</>;
  const id = operation.subject === "host" ? operation.subject_name : operation.subject_id;
  return (
    <Anchor component={Link} to={`/${place}/${id}`} size="sm">
      {operation.subject_name}
    </Anchor>
  );
}

type Snapshot = Record<string, unknown> | null;

const spell = (value: unknown): string => (typeof value === "string" ? value : value === undefined || value === null ? "none" : JSON.stringify(value));

/** What was so before and is so after; what stayed is only shown for what is new or gone. */
function Difference({ before, after }: { before: Snapshot; after: Snapshot }) {
  const names = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])];
  const shown = names.filter((name) => !before || !after || spell(before[name]) !== spell(after[name]));
  if (!shown.length) return null;
  return (
    <Table aria-label="Before and after" maw={640} withRowBorders={false} data-testid="difference">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Field</Table.Th>
          <Table.Th>Before</Table.Th>
          <Table.Th>After</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {shown.map((name) => (
          <Table.Tr key={name}>
            <Table.Td>{name}</Table.Td>
            <Table.Td>{before ? spell(before[name]) : "was not there"}</Table.Td>
            <Table.Td>{after ? spell(after[name]) : "is gone"}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

type Mended = { text: string; since: string; seconds: number; noticed: boolean };

/** What was asked for; or what a host mended by itself, which nobody asked for. */
function Detail({ operation }: { operation: Operation }) {
  const detail = operation.detail as Record<string, unknown>;
  const heading = (text: string) => (
    <Text size="xs" c="dimmed">
      {text}
    </Text>
  );
  if (operation.action !== "host.mend")
    return (
      <>
        {heading("What was asked for")}
        <Code block>{JSON.stringify(detail, null, 2)}</Code>
      </>
    );
  return (
    <Stack gap={4} data-testid="mended">
      {heading("What was wrong, since when and for how long")}
      {(detail.drift as Mended[]).map((each, index) => (
        <Text key={index} size="sm" className="wrapping">
          {formatTime(each.since)}: {each.text} It was wrong for {each.noticed ? "" : "at most "}
          {formatSeconds(each.seconds)}.
        </Text>
      ))}
    </Stack>
  );
}

export function Operations({ operations }: { operations: Operation[] }) {
  const [open, setOpen] = useState("");
  return (
    <Table.ScrollContainer minWidth={720}>
      <Table aria-label="Changes" data-testid="operations">
        <Table.Thead>
          <Table.Tr>
            {["When", "Who", "What", "Of", "Host", "Outcome"].map((name) => (
              <Table.Th key={name}>{name}</Table.Th>
            ))}
            <Table.Th>
              <span hidden>Details</span>
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {operations.map((each) => (
            <Fragment key={each.id}>
              <Table.Tr className="fresh">
                <Table.Td title={formatTime(each.at)}>{formatAge(each.at)}</Table.Td>
                <Table.Td>{each.actor}</Table.Td>
                <Table.Td>{each.action}</Table.Td>
                <Table.Td>
                  <Subject operation={each} />
                </Table.Td>
                <Table.Td>{each.host}</Table.Td>
                <Table.Td>
                  <State state={each.outcome} message={each.message} />
                </Table.Td>
                <Table.Td>
                  <Button size="compact-xs" variant="subtle" aria-expanded={open === each.id} onClick={() => setOpen(open === each.id ? "" : each.id)}>
                    Details
                  </Button>
                </Table.Td>
              </Table.Tr>
              {open === each.id && (
                <Table.Tr>
                  <Table.Td colSpan={7}>
                    <Stack gap="xs">
                      {each.message && <Text size="sm">{each.message}</Text>}
                      <Difference before={each.before} after={each.after} />
                      <Detail operation={each} />
                      <Text size="xs" c="dimmed">
                        {each.action === "host.mend" ? "Noticed" : "Asked for"} at {formatTime(each.at)}
                        {each.finished ? `, finished at ${formatTime(each.finished)}` : ", not finished yet"}; operation {each.id}
                        {each.request ? `; request ${each.request}` : ""}
                      </Text>
                    </Stack>
                  </Table.Td>
                </Table.Tr>
              )}
            </Fragment>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

export function useOperations(query: Record<string, string | number>) {
  return useQuery({
    queryKey: ["operations", query],
    queryFn: () => get(api.GET("/api/v1/operations/", { params: { query } })),
    placeholderData: keepPreviousData,
  });
}

export default function History() {
  const { subject } = useSearch({ from: "/history" });
  const [outcome, setOutcome] = useState<string | null>(null);
  const [name, setName] = useState(subject ?? "");
  const [wanted] = useDebouncedValue(name, 250);
  const [host, setHost] = useState<string | null>(null);
  const hosts = useHosts().data ?? [];
  const [pages, setPages] = useState(1);
  const operations = useOperations({
    limit: PAGE * pages,
    ...(outcome ? { outcome } : {}),
    ...(wanted ? { search: wanted } : {}),
    ...(host ? { host } : {}),
  });
  return (
    <Page title="History">
      <Group gap="xs">
        <TextInput aria-label="Search the history" placeholder="Name, id, action or account" w={260} value={name} onChange={(event) => setName(event.currentTarget.value)} />
        <Select aria-label="Outcome" placeholder="All outcomes" data={["pending", "done", "failed"]} value={outcome} onChange={setOutcome} clearable />
        <Select aria-label="Host" placeholder="All hosts" data={hosts.map((each) => each.name)} value={host} onChange={setHost} clearable />
      </Group>
      <Answered query={operations}>
        {() =>
          operations.data?.results.length ? (
            <>
              <Operations operations={operations.data.results} />
              {operations.data.count > operations.data.results.length && (
                <Group justify="center">
                  <Button variant="default" onClick={() => setPages(pages + 1)} loading={operations.isFetching}>
                    Show older ones
                  </Button>
                </Group>
              )}
            </>
          ) : (
            <Empty title="No change fits">Every change is written here, whoever made it and wherever.</Empty>
          )
        }
      </Answered>
    </Page>
  );
}
