import { Alert, Box, Button, Center, Group, Loader, Stack, Text, Title } from "@mantine/core";
import { IconAlertTriangle, IconRefresh } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { isOutage, Refusal } from "@/lib/api";
import { useConnection } from "@/lib/connection";

type PageProps = { title: ReactNode; beside?: ReactNode; actions?: ReactNode; children: ReactNode };

/** A page with its heading, and what can be done there. */
export function Page({ title, beside, actions, children }: PageProps) {
  return (
    <Stack gap="md">
      <Group justify="space-between" align="center" gap="xs">
        <Group gap="sm">
          <Title order={1} size="h3">
            {title}
          </Title>
          {beside}
        </Group>
        <Group gap="xs">{actions}</Group>
      </Group>
      {children}
    </Stack>
  );
}

/** Something is on its way; from a server that does not answer it is not. */
export function Waiting() {
  const isAway = useConnection() === "away";
  return (
    <Center p="xl">
      {isAway ? <Text size="sm">The server does not answer; this is shown as soon as it does.</Text> : <Loader aria-label="Loading" />}
    </Center>
  );
}

type Answer = { isPending: boolean; error: Error | null; data?: unknown; refetch: () => unknown };

/** What a query has to say, once it has something to say; before, that it is asked, or why it cannot be.
 * What was shown stays while the server is away: how old it is stands above every page. */
export function Answered({ query, children }: { query: Answer; children: () => ReactNode }) {
  if (query.error && !(isOutage(query.error) && query.data !== undefined)) return <Problem error={query.error} again={() => void query.refetch()} />;
  if (query.isPending) return <Waiting />;
  return <>{children()}</>;
}

export function Problem({ error, again }: { error: Error; again?: () => void }) {
  const missing = error instanceof Refusal && error.status === 404;
  return (
    <Alert color={missing ? "gray" : "red"} icon={<IconAlertTriangle />} title={missing ? "It is not there" : "It did not work"} role="alert">
      <Stack gap="xs" align="flex-start">
        <Text size="sm">{error.message}</Text>
        {again && (
          <Button size="xs" variant="light" leftSection={<IconRefresh size={14} />} onClick={again}>
            Try again
          </Button>
        )}
      </Stack>
    </Alert>
  );
}

/** An empty place, and how to begin. */
export function Empty({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Box p="xl" ta="center" className="empty">
      <Text fw={600}>{title}</Text>
      <Box c="dimmed" fz="sm" mt={4}>
        {children}
      </Box>
    </Box>
  );
}
