import { Button, Center, Paper, PasswordInput, Stack, Text, TextInput, Title } from "@mantine/core";
import { useState } from "react";
import { signIn } from "@/lib/session";

export function SignIn() {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [refusal, setRefusal] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async () => {
    setBusy(true);
    setRefusal("");
    try {
      await signIn(name, password);
    } catch (error) {
      setRefusal(error instanceof Error ? error.message : String(error));
      setPassword("");
    } finally {
      setBusy(false);
    }
  };
  return (
    <Center component="main" mih="100vh" p="md">
      <Paper withBorder p="xl" w={360}>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void submit();
          }}
        >
          <Stack>
            <div>
              <Title order={1} size="h3">
                netadmin
              </Title>
              <Text size="sm" c="dimmed">
                Docker's network commands for every Linux host you own.
              </Text>
            </div>
            <TextInput label="Name" autoComplete="username" required value={name} onChange={(event) => setName(event.currentTarget.value)} data-autofocus />
            <PasswordInput
              label="Password"
              autoComplete="current-password"
              required
              value={password}
              onChange={(event) => setPassword(event.currentTarget.value)}
            />
            {refusal && (
              <Text c="red" size="sm" role="alert">
                {refusal}
              </Text>
            )}
            <Button type="submit" loading={busy}>
              Sign in
            </Button>
            <Text size="xs" c="dimmed">
              The password of "admin" was printed when the server was started for the first time.
            </Text>
          </Stack>
        </form>
      </Paper>
    </Center>
  );
}
