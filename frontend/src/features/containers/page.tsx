import { Badge, Button, Tabs } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconPlugConnected } from "@tabler/icons-react";
import { useNavigate, useParams } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { Act } from "@/components/act";
import { Answered, Page, Problem } from "@/components/page";
import { State } from "@/components/state";
import { drive, removeContainer } from "@/lib/actions";
import { Refusal, type Container } from "@/lib/api";
import { useContainers } from "@/lib/records";
import { useRights } from "@/lib/session";
import { Attach } from "./attach";
import { messageOf } from "./columns";
import { About } from "./about";
import { Interfaces } from "./interfaces";
import { Names } from "./names";

const Terminal = lazy(() => import("./terminal"));
const Logs = lazy(() => import("./logs"));

function Verbs({ container }: { container: Container }) {
  const navigate = useNavigate();
  const runs = container.wanted === "running";
  return (
    <>
      {runs ? (
        <>
          <Act action={drive(container, "stop")} />
          <Act action={drive(container, "restart")} />
        </>
      ) : (
        <Act action={drive(container, "start")} />
      )}
      <Act action={removeContainer(container)} after={() => void navigate({ to: "/containers" })} />
    </>
  );
}

function Known({ container }: { container: Container }) {
  const { change: mayChange, commands } = useRights({ container: container.id });
  const [attaching, { open, close }] = useDisclosure(false);
  const message = messageOf(container);
  return (
    <Page
      title={container.name}
      beside={
        <>
          <State state={container.state} message={message} />
          <Badge variant="outline">{container.host}</Badge>
        </>
      }
      actions={
        mayChange && (
          <>
            {!container.host_network && (
              <Button size="xs" leftSection={<IconPlugConnected size={14} />} onClick={open}>
                Connect
              </Button>
            )}
            <Verbs container={container} />
          </>
        )
      }
    >
      {message && container.state === "failed" && <Problem error={new Error(message)} />}
      <Tabs defaultValue="interfaces" keepMounted={false}>
        <Tabs.List mb="md">
          <Tabs.Tab value="interfaces">Interfaces</Tabs.Tab>
          <Tabs.Tab value="names">Names</Tabs.Tab>
          <Tabs.Tab value="logs">Logs</Tabs.Tab>
          {commands && <Tabs.Tab value="terminal">Terminal</Tabs.Tab>}
          <Tabs.Tab value="about">About</Tabs.Tab>
        </Tabs.List>
        <Suspense fallback={null}>
          <Tabs.Panel value="interfaces">
            <Interfaces container={container} />
          </Tabs.Panel>
          <Tabs.Panel value="names">
            <Names container={container} />
          </Tabs.Panel>
          <Tabs.Panel value="logs">
            <Logs container={container} />
          </Tabs.Panel>
          <Tabs.Panel value="terminal">
            <Terminal container={container} />
          </Tabs.Panel>
          <Tabs.Panel value="about">
            <About container={container} />
          </Tabs.Panel>
        </Suspense>
      </Tabs>
      <Attach container={container.id} opened={attaching} close={close} />
    </Page>
  );
}

export default function ContainerPage() {
  const { id } = useParams({ from: "/containers/$id" });
  const containers = useContainers();
  return (
    <Answered query={containers}>
      {() => {
        const container = containers.data?.find((each) => each.id === id || each.name === id);
        return container ? <Known container={container} /> : <Problem error={new Refusal(404, "", "This container does not exist, or was removed.")} />;
      }}
    </Answered>
  );
}
