import { Anchor, Button, Code, Group, Select, Stack, Table, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link, useSearch } from "@tanstack/react-router";
import { Fragment, useState } from "react";
import { Answered, Empty, Page } from "@/components/page";
import { State } from "@/components/state";
import { api, get, type Operation } from "@/lib/api";
import { formatAge, formatTime } from "@/lib/format";

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
                      <Code block>{JSON.stringify(each.detail, null, 2)}</Code>
                      <Text size="xs" c="dimmed">
                        Asked for at {formatTime(each.at)}
                        {each.finished ? `, finished at ${formatTime(each.finished)}` : ", not finished yet"}; operation {each.id}
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
  const [pages, setPages] = useState(1);
  const operations = useOperations({
    limit: PAGE * pages,
    ...(outcome ? { outcome } : {}),
    ...(wanted ? { subject: wanted } : {}),
  });
  return (
    <Page title="History">
      <Group gap="xs">
        <TextInput aria-label="Name or id" placeholder="Name or id of a thing" value={name} onChange={(event) => setName(event.currentTarget.value)} />
        <Select aria-label="Outcome" placeholder="All outcomes" data={["pending", "done", "failed"]} value={outcome} onChange={setOutcome} clearable />
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
