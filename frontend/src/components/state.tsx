/** A state is told by colour, shape and word, one table for all of them. */
import { Badge, Tooltip } from "@mantine/core";
import {
  IconAlertTriangle,
  IconCircleCheck,
  IconCircleDashed,
  IconCircleMinus,
  IconCircleX,
  IconLoader2,
  IconPlayerPause,
  type Icon,
} from "@tabler/icons-react";
import type { Container, Endpoint } from "@/lib/api";

type Look = { color: string; icon: Icon; shape: string };

const GOOD: Look = { color: "green", icon: IconCircleCheck, shape: "ellipse" };
const BUSY: Look = { color: "yellow", icon: IconLoader2, shape: "diamond" };
const BAD: Look = { color: "red", icon: IconCircleX, shape: "octagon" };
const IDLE: Look = { color: "gray", icon: IconCircleDashed, shape: "round-rectangle" };

const LOOKS: Record<string, Look> = {
  active: GOOD,
  running: GOOD,
  online: GOOD,
  done: GOOD,
  pending: BUSY,
  starting: BUSY,
  restarting: BUSY,
  stopping: BUSY,
  removing: { ...BUSY, icon: IconCircleMinus },
  invited: BUSY,
  failed: BAD,
  offline: BAD,
  revoked: BAD,
  problem: { ...BAD, color: "orange", icon: IconAlertTriangle },
  drained: { ...IDLE, icon: IconPlayerPause },
};

export const lookOf = (state: string): Look => LOOKS[state] ?? IDLE;

/** Badge of a state; the host's own message, when there is one, is its tooltip and its description. */
export function State({ state, message = "" }: { state: string; message?: string }) {
  const { color, icon: Icon } = lookOf(state);
  const badge = (
    <Badge className={`state-${color}`} color={color} variant="light" leftSection={<Icon size={12} aria-hidden />} miw="max-content" data-state={state}>
      {state}
    </Badge>
  );
  return message ? (
    <Tooltip label={message} multiline maw={420}>
      <span tabIndex={0} aria-label={`${state}: ${message}`}>
        {badge}
      </span>
    </Tooltip>
  ) : (
    badge
  );
}

/** How a container is on a network: an endpoint that is well does nothing while its container does not run. */
export const stateOf = (container: Container, endpoint: Endpoint): string =>
  endpoint.state === "active" && container.state !== "running" ? container.state : endpoint.state;

export function Attachment({ container, endpoint }: { container: Container; endpoint: Endpoint }) {
  return <State state={stateOf(container, endpoint)} message={endpoint.error || container.error} />;
}
