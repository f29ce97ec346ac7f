import { Facts } from "@/components/facts";
import { Mono } from "@/components/copy";
import type { Container } from "@/lib/api";
import { formatTime, shorten } from "@/lib/format";

export function About({ container }: { container: Container }) {
  return (
    <Facts
      rows={[
        ["Id", <Mono key="id" text={container.id} shown={shorten(container.id)} what="id" />],
        ["Host", container.host],
        ["Host name", container.hostname],
        ["Command", container.command.length ? <Mono key="command" text={container.command.join(" ")} what="command" /> : "none: a namespace alone"],
        ["Namespace", <Mono key="namespace" text={`ip netns exec ${container.name} ip address`} what="command" />],
        ["Variables", Object.keys(container.env).join(", ") || "none"],
        ["Labels", Object.entries(container.labels).map(([key, value]) => `${key}=${value}`).join(", ") || "none"],
        ["Created", formatTime(container.created)],
        ["Started", container.started ? formatTime(container.started) : "never"],
        ["Ended", container.finished ? `${formatTime(container.finished)}${container.exit_code === null ? "" : `, exit status ${container.exit_code}`}` : ""],
      ]}
    />
  );
}
