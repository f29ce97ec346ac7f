import { Anchor, Badge, Button, Checkbox, Code, Group, Modal, Stack, Table, Text, TextInput, Title } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Act, ActForm } from "@/components/act";
import { Copy } from "@/components/copy";
import { Answered, Empty, Page } from "@/components/page";
import { createToken, removeToken } from "@/lib/actions";
import { api, get, type Schemas } from "@/lib/api";
import { formatAge, formatTime } from "@/lib/format";
import { useMe } from "@/lib/session";

function NewToken({ made }: { made: (token: Schemas["NewToken"]) => void }) {
  const [name, setName] = useState("");
  const [expires, setExpires] = useState("");
  const [never, setNever] = useState(false);
  const end = never ? { expires: null } : expires ? { expires: new Date(expires).toISOString() } : {};
  const action = createToken({ name, ...end });
  return (
    <ActForm action={action} ready={Boolean(name)} done={(sent) => made(sent.body as Schemas["NewToken"])}>
      <TextInput label="Name" description="What it is for" required value={name} onChange={(event) => setName(event.currentTarget.value)} data-autofocus />
      <TextInput label="Ends" type="datetime-local" description="Empty: when the server's usual time is over" value={expires} disabled={never} onChange={(event) => setExpires(event.currentTarget.value)} />
      <Checkbox label="Never ends" checked={never} onChange={(event) => setNever(event.currentTarget.checked)} />
    </ActForm>
  );
}

export default function Account() {
  const me = useMe().data;
  const client = useQueryClient();
  const [making, { open, close }] = useDisclosure(false);
  const [token, setToken] = useState<Schemas["NewToken"] | null>(null);
  const tokens = useQuery({ queryKey: ["tokens"], queryFn: () => get(api.GET("/api/v1/tokens/", { params: { query: { limit: 1000 } } })) });
  const refresh = () => void client.invalidateQueries({ queryKey: ["tokens"] });
  return (
    <Page title="Account" beside={me && <Badge variant="outline">{me.role}</Badge>}>
      <Text size="sm">
        You are signed in as {me?.name}. <Anchor href="/admin/password_change/" underline="always">Change the password</Anchor>, or open the <Anchor href="/admin/" underline="always">admin</Anchor>.
      </Text>
      <Group justify="space-between">
        <Title order={2} size="h4">
          API tokens
        </Title>
        <Button size="xs" onClick={open}>
          Make a token
        </Button>
      </Group>
      <Answered query={tokens}>
        {() =>
          tokens.data?.results.length ? (
            <Table.ScrollContainer minWidth={560}>
              <Table aria-label="API tokens">
                <Table.Thead>
                  <Table.Tr>
                    {["Name", "Key", "Made", "Ends", "Last used"].map((name) => (
                      <Table.Th key={name}>{name}</Table.Th>
                    ))}
                    <Table.Th>
                      <span hidden>Actions</span>
                    </Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {tokens.data.results.map((each) => (
                    <Table.Tr key={each.id}>
                      <Table.Td>{each.name}</Table.Td>
                      <Table.Td>
                        <Code>{each.key}</Code>
                      </Table.Td>
                      <Table.Td>{formatTime(each.created)}</Table.Td>
                      <Table.Td>{each.expires ? formatTime(each.expires) : "never"}</Table.Td>
                      <Table.Td>{each.last_used ? formatAge(each.last_used) : "never"}</Table.Td>
                      <Table.Td>
                        <Act action={removeToken(each)} after={refresh} />
                      </Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </Table.ScrollContainer>
          ) : (
            <Empty title="You have no token">Programs and the command line of other machines sign in with one.</Empty>
          )
        }
      </Answered>
      <Modal opened={making} onClose={close} title="Make a token">
        <NewToken
          made={(made) => {
            close();
            setToken(made);
            refresh();
          }}
        />
      </Modal>
      <Modal opened={token !== null} onClose={() => setToken(null)} title={`Token ${token?.name ?? ""}`} size="lg">
        <Stack>
          <Text size="sm">It is shown only now:</Text>
          <Group gap={4} wrap="nowrap" align="flex-start">
            <Code block className="wrapping" style={{ flex: 1 }} data-testid="token">
              {token?.token}
            </Code>
            <Copy text={token?.token ?? ""} what="token" />
          </Group>
        </Stack>
      </Modal>
    </Page>
  );
}
