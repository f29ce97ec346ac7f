import { ActionIcon, CopyButton, Group, Text, Tooltip } from "@mantine/core";
import { IconCheck, IconCopy } from "@tabler/icons-react";

/** A button that copies; `what` says of what, for who does not see it. */
export function Copy({ text, what }: { text: string; what: string }) {
  return (
    <CopyButton value={text}>
      {({ copied, copy }) => (
        <Tooltip label={copied ? "Copied" : `Copy ${what}`}>
          <ActionIcon variant="subtle" color="gray" size="sm" aria-label={`Copy ${what}`} onClick={copy}>
            {copied ? <IconCheck size={14} /> : <IconCopy size={14} />}
          </ActionIcon>
        </Tooltip>
      )}
    </CopyButton>
  );
}

const SHORT = 40; // characters that stay on one line

/** An address, an id or a command, as one reads and copies it. */
export function Mono({ text, what, shown }: { text: string; what: string; shown?: string }) {
  return (
    <Group gap={2} wrap="nowrap" component="span" display="inline-flex">
      <Text ff="monospace" size="sm" component="span" style={(shown ?? text).length > SHORT ? { overflowWrap: "anywhere" } : { whiteSpace: "nowrap" }}>
        {shown ?? text}
      </Text>
      <Copy text={text} what={what} />
    </Group>
  );
}
