/** How a change is asked for: a button, the question before it, the same as a command line and as a request. */
import { Button, Code, Collapse, Group, Modal, Stack, Text, UnstyledButton, type ButtonProps } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { notifications } from "@mantine/notifications";
import { IconTerminal2 } from "@tabler/icons-react";
import { useState, type ReactNode } from "react";
import { spellRequest, type Action } from "@/lib/actions";
import { Refusal, send, type Operation, type Sent } from "@/lib/api";
import { Copy } from "./copy";
import { Rehearsal } from "./plan";

/** Carries out an action and tells what came of it; throws the Refusal after telling it, unless it names a field. */
export async function perform(action: Action, quiet = false): Promise<Sent> {
  try {
    const sent = await send(action.method, action.path, action.body);
    if (sent.status === 202) {
      const operation = (sent.body as { operation?: Operation } | null)?.operation;
      notifications.show({
        color: "yellow",
        title: `${action.label}: not done yet`,
        message: `It is recorded and will be done; ${operation?.host ? `host ${operation.host}` : "the host"} has not answered yet.`,
      });
    } else notifications.show({ color: "green", message: action.done });
    return sent;
  } catch (error) {
    if (!quiet)
      notifications.show({
        color: "red",
        title: `${action.label}: refused`,
        message: error instanceof Error ? error.message : String(error),
        autoClose: 10_000,
      });
    throw error;
  }
}

/** The action as a command line and as a call, to copy; and what it would do. */
export function Spelt({ action }: { action: Action }) {
  const [open, { toggle }] = useDisclosure(false);
  return (
    <Stack gap={4}>
      {action.command && (
        <Group gap={4} wrap="nowrap" align="flex-start">
          <Code block className="wrapping" style={{ flex: 1 }} data-testid="command">
            {action.command}
          </Code>
          <Copy text={action.command} what="command line" />
        </Group>
      )}
      <UnstyledButton onClick={toggle} fz="xs" c="dimmed" aria-expanded={open}>
        {open ? "Hide the API call" : "Show the API call"}
      </UnstyledButton>
      <Collapse expanded={open}>
        <Group gap={4} wrap="nowrap" align="flex-start">
          <Code block className="wrapping" style={{ flex: 1 }}>
            {spellRequest(action)}
          </Code>
          <Copy text={spellRequest(action)} what="API call" />
        </Group>
      </Collapse>
      <Rehearsal action={action} />
    </Stack>
  );
}

type ActProps = ButtonProps & {
  action: Action;
  after?: (sent: Sent) => void;
  /** What stands in its way: told instead of asked. */
  blocked?: string;
};

/** A button for an action without a form. Where something is lost it asks first. */
export function Act({ action, after, blocked = "", ...button }: ActProps) {
  const [asking, { open, close }] = useDisclosure(false);
  const [busy, setBusy] = useState(false);
  const go = async () => {
    setBusy(true);
    try {
      const sent = await perform(action);
      close();
      after?.(sent);
    } catch {
      close();
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <Button size="xs" variant="default" {...button} loading={busy} onClick={action.warning || blocked ? open : () => void go()} title={action.command}>
        {button.children ?? action.label}
      </Button>
      {(action.warning || blocked) && (
        <Modal opened={asking} onClose={close} title={blocked ? `${action.label}: not yet` : `${action.label}?`}>
          <Stack>
            <Text size="sm">{blocked || action.warning}</Text>
            <Spelt action={action} />
            <Group justify="flex-end">
              <Button variant="default" onClick={close}>
                Cancel
              </Button>
              {!blocked && (
                <Button color="red" loading={busy} onClick={() => void go()} data-autofocus>
                  {action.label}
                </Button>
              )}
            </Group>
          </Stack>
        </Modal>
      )}
    </>
  );
}

type FormProps = { action: Action; children: ReactNode; done: (sent: Sent) => void; ready?: boolean; failed?: (refusal: Refusal) => void };

/** A form around an action: its fields, what it will do, and the refusal when there is one. Nothing typed is lost. */
export function ActForm({ action, children, done, failed, ready = true }: FormProps) {
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState("");
  const submit = async () => {
    setBusy(true);
    setRefusal("");
    try {
      done(await perform(action, true));
    } catch (error) {
      setRefusal(error instanceof Error ? error.message : String(error));
      if (error instanceof Refusal) failed?.(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <Stack>
        {children}
        {refusal && (
          <Text c="red" size="sm" role="alert">
            {refusal}
          </Text>
        )}
        <Group gap={6} c="dimmed" fz="xs">
          <IconTerminal2 size={14} aria-hidden /> The same by hand
        </Group>
        <Spelt action={action} />
        <Group justify="flex-end">
          <Button type="submit" loading={busy} disabled={!ready}>
            {action.label}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
