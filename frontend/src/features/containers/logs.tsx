import { Code, ScrollArea, Stack, Text } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import { Empty } from "@/components/page";
import type { Container } from "@/lib/api";
import { Stream } from "./stream";

const KEPT = 200_000;

/** What the process prints, as it prints it. */
export default function Logs({ container }: { container: Container }) {
  const [text, setText] = useState("");
  const [message, setMessage] = useState("");
  const end = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const decoder = new TextDecoder();
    setText("");
    setMessage("");
    const stream = new Stream(`/ws/containers/${container.id}/logs/`, [["follow", "1"], ["tail", "1000"]], {
      output: (bytes) => setText((before) => (before + decoder.decode(bytes, { stream: true })).slice(-KEPT)),
      ended: setMessage,
    });
    return () => stream.close();
  }, [container.id, container.started]);
  useEffect(() => {
    // Newer browsers answer with a promise, which an effect must not return.
    void end.current?.scrollIntoView({ block: "nearest" });
  }, [text]);
  if (!container.command.length && !container.entrypoint.length) return <Empty title="Nothing runs in it">The container is a network namespace without a command, so nothing is printed.</Empty>;
  return (
    <Stack gap="xs">
      <ScrollArea h="55vh" viewportProps={{ tabIndex: 0, "aria-label": "Logs" }}>
        <Code block>{text || "Nothing was printed yet."}</Code>
        <div ref={end} />
      </ScrollArea>
      {message && (
        <Text size="sm" c="dimmed">
          {message}
        </Text>
      )}
    </Stack>
  );
}
