import { Alert, Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { FitAddon } from "@xterm/addon-fit";
import { Terminal as Xterm } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";
import { useEffect, useRef, useState } from "react";
import { Empty } from "@/components/page";
import type { Container } from "@/lib/api";
import { splitWords } from "./form";
import { Stream } from "./stream";

function Session({ container, running, ended }: { container: Container; running: { command: string }; ended: (message: string) => void }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const terminal = new Xterm({ cursorBlink: true, fontSize: 13, screenReaderMode: true, theme: { background: "#101418" } });
    const fit = new FitAddon();
    terminal.loadAddon(fit);
    terminal.open(place.current!);
    fit.fit();
    const stream = new Stream(
      `/ws/containers/${container.id}/exec/`,
      [...splitWords(running.command).map((word): [string, string] => ["command", word]), ["tty", "1"], ["env", "TERM=xterm-256color"], ["columns", String(terminal.cols)], ["rows", String(terminal.rows)]],
      { output: (bytes) => terminal.write(bytes), ended },
    );
    terminal.onData((text) => stream.type(text));
    terminal.onResize(({ cols, rows }) => stream.resize(cols, rows));
    const watch = new ResizeObserver(() => fit.fit());
    watch.observe(place.current!);
    terminal.focus();
    return () => {
      watch.disconnect();
      stream.close();
      terminal.dispose();
    };
  }, [container.id, running, ended]);
  return <div ref={place} style={{ height: "55vh", background: "#101418", borderRadius: 8, padding: 8 }} data-testid="terminal" />;
}

export default function Terminal({ container }: { container: Container }) {
  const [command, setCommand] = useState("sh");
  const [running, setRunning] = useState<{ command: string } | null>(null);
  const [message, setMessage] = useState("");
  if (container.state !== "running") return <Empty title="The container does not run">Start it, then open a terminal in it.</Empty>;
  const open = () => {
    setMessage("");
    setRunning({ command });
  };
  return (
    <Stack gap="xs">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          open();
        }}
      >
        <Group align="flex-end" gap="xs">
          <TextInput label="Command" ff="monospace" value={command} onChange={(event) => setCommand(event.currentTarget.value)} disabled={Boolean(running) && !message} />
          {running && !message ? (
            <Button variant="default" onClick={() => setRunning(null)}>
              Close
            </Button>
          ) : (
            <Button type="submit" disabled={!command.trim()}>
              Open
            </Button>
          )}
          <Text size="xs" c="dimmed">
            That you were here is written to the history.
          </Text>
        </Group>
      </form>
      {message && <Alert color="gray">{message}</Alert>}
      {running && <Session container={container} running={running} ended={setMessage} />}
    </Stack>
  );
}
