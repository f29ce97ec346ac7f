/** What hosts would do: of a change that is not made yet, or to mend what something else has changed. */
import { Button, Code, Stack, Text } from "@mantine/core";
import { IconEye } from "@tabler/icons-react";
import { useState } from "react";
import { isRehearsed, type Action } from "@/lib/actions";
import { send, type Schemas } from "@/lib/api";

type HostPlan = Schemas["HostPlan"];

export function Plans({ plans }: { plans: HostPlan[] }) {
  const busy = plans.filter((plan) => plan.total || plan.problem);
  if (!busy.length) return <Text size="sm">Nothing to do on any host.</Text>;
  return (
    <Stack gap="xs" data-testid="plan">
      {busy.map((plan) => (
        <div key={plan.host}>
          <Text size="sm" fw={600}>
            {plan.host}
            {plan.problem ? " cannot say" : `: ${plan.total} ${plan.total === 1 ? "operation" : "operations"}`}
          </Text>
          {plan.problem ? (
            <Text size="sm">{plan.problem}</Text>
          ) : (
            <Code block className="wrapping" mah={220} style={{ overflow: "auto" }} tabIndex={0}>
              {plan.operations.map((each) => each.text).join("\n")}
              {plan.total > plan.operations.length && `\n… and ${plan.total - plan.operations.length} more`}
            </Code>
          )}
        </div>
      ))}
    </Stack>
  );
}

/** A button that asks, and what was answered, till something else is asked. */
export function Ask({ label, about, ask }: { label: string; about: string; ask: () => Promise<HostPlan[]> }) {
  const [busy, setBusy] = useState(false);
  const [told, setTold] = useState<{ about: string; plans: HostPlan[]; refusal: string } | null>(null);
  const go = async () => {
    setBusy(true);
    try {
      setTold({ about, plans: await ask(), refusal: "" });
    } catch (error) {
      setTold({ about, plans: [], refusal: error instanceof Error ? error.message : String(error) });
    } finally {
      setBusy(false);
    }
  };
  return (
    <Stack gap="xs" align="stretch">
      <Button size="xs" variant="subtle" leftSection={<IconEye size={14} />} loading={busy} onClick={() => void go()} style={{ alignSelf: "flex-start" }}>
        {label}
      </Button>
      {told?.about === about &&
        (told.refusal ? (
          <Text c="red" size="sm" role="alert">
            {told.refusal}
          </Text>
        ) : (
          <Plans plans={told.plans} />
        ))}
    </Stack>
  );
}

/** What the action would do on each host; nothing for an action that touches none. */
export function Rehearsal({ action }: { action: Action }) {
  if (!isRehearsed(action)) return null;
  const ask = async () => {
    const sent = await send(action.method, `${action.path}${action.path.includes("?") ? "&" : "?"}dry_run=1`, action.body);
    return (sent.body as { plans: HostPlan[] }).plans;
  };
  return <Ask label="Show what would be done" about={JSON.stringify([action.method, action.path, action.body])} ask={ask} />;
}
