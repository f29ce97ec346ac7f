/** What is around every page: where one can go, who one is, whether the page is live. */
import {
  ActionIcon,
  Alert,
  Anchor,
  AppShell,
  Badge,
  Burger,
  Group,
  Menu,
  NavLink,
  Text,
  Tooltip,
  useComputedColorScheme,
  useMantineColorScheme,
} from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import {
  IconAddressBook,
  IconArrowsCross,
  IconBolt,
  IconBoltOff,
  IconBox,
  IconHistory,
  IconLayoutDashboard,
  IconMoon,
  IconNetwork,
  IconServer2,
  IconSitemap,
  IconSun,
  IconUser,
} from "@tabler/icons-react";
import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import { Suspense, useEffect } from "react";
import { Answered, Waiting } from "@/components/page";
import { SignIn } from "@/features/account/sign-in";
import { heardAt, useConnection } from "@/lib/connection";
import { formatClock } from "@/lib/format";
import { hush, listen } from "@/lib/live";
import { signOut, useMe } from "@/lib/session";

const PLACES = [
  { to: "/", label: "Overview", icon: IconLayoutDashboard },
  { to: "/map", label: "Map", icon: IconSitemap },
  { to: "/networks", label: "Networks", icon: IconNetwork },
  { to: "/containers", label: "Containers", icon: IconBox },
  { to: "/connectivity", label: "Connectivity", icon: IconArrowsCross },
  { to: "/hosts", label: "Hosts", icon: IconServer2 },
  { to: "/addresses", label: "Addresses", icon: IconAddressBook },
  { to: "/history", label: "History", icon: IconHistory },
] as const;

const LIVENESS = {
  live: { color: "green", text: "Live", told: "Changes are shown as they happen.", icon: IconBolt },
  connecting: { color: "gray", text: "Connecting", told: "The live connection is being made.", icon: IconBolt },
  away: {
    color: "red",
    text: "No answer",
    told: "The server does not answer: it is asked every second until it does.",
    icon: IconBoltOff,
  },
  polling: {
    color: "orange",
    text: "Polling",
    told: "The live connection is down: the page asks every 5 seconds until it is back.",
    icon: IconBoltOff,
  },
} as const;

function Liveness() {
  const { color, text, told, icon: Icon } = LIVENESS[useConnection()];
  return (
    <Tooltip label={told} multiline maw={260}>
      <Badge
        className={`state-${color}`}
        color={color}
        variant="light"
        leftSection={<Icon size={12} aria-hidden />}
        role="status"
        data-testid="liveness"
      >
        {text}
      </Badge>
    </Tooltip>
  );
}

/** Above every page that cannot be true any more. */
function Away() {
  if (useConnection() !== "away") return null;
  return (
    <Alert color="red" icon={<IconBoltOff />} title="The server does not answer" mb="md" data-testid="away">
      What is shown is of {formatClock(heardAt())}; the page goes on by itself when there is an answer.
    </Alert>
  );
}

function SchemeSwitch() {
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme("light") === "dark";
  const label = dark ? "Light colours" : "Dark colours";
  return (
    <Tooltip label={label}>
      <ActionIcon variant="subtle" color="gray" aria-label={label} onClick={() => setColorScheme(dark ? "light" : "dark")}>
        {dark ? <IconSun size={18} /> : <IconMoon size={18} />}
      </ActionIcon>
    </Tooltip>
  );
}

function UserMenu({ name, role }: { name: string; role: string }) {
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" aria-label={`Account of ${name}`}>
          <IconUser size={18} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {name} ({role})
        </Menu.Label>
        <Menu.Item component={Link} to="/account">
          Account and tokens
        </Menu.Item>
        <Menu.Item component="a" href="/admin/">
          Admin
        </Menu.Item>
        <Menu.Item component="a" href="/api/v1/docs/">
          API documentation
        </Menu.Item>
        <Menu.Divider />
        <Menu.Item onClick={() => void signOut()}>Sign out</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function Places({ leave }: { leave: () => void }) {
  const path = useRouterState({ select: (state) => state.location.pathname });
  return PLACES.map(({ to, label, icon: Icon }) => (
    <NavLink
      key={to}
      component={Link}
      to={to}
      label={label}
      leftSection={<Icon size={18} aria-hidden />}
      active={to === "/" ? path === "/" : path.startsWith(to)}
      onClick={leave}
    />
  ));
}

function Frame({ name, role }: { name: string; role: string }) {
  const [open, { toggle, close }] = useDisclosure(false);
  useEffect(() => {
    listen();
    return hush;
  }, []);
  return (
    <AppShell header={{ height: 52 }} navbar={{ width: 200, breakpoint: "sm", collapsed: { mobile: !open } }} padding="md">
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="xs" wrap="nowrap">
            <Burger opened={open} onClick={toggle} hiddenFrom="sm" size="sm" aria-label="Pages" />
            <Anchor component={Link} to="/" underline="never" c="inherit">
              <Text fw={700}>netadmin</Text>
            </Anchor>
          </Group>
          <Group gap="xs" wrap="nowrap">
            <Liveness />
            <SchemeSwitch />
            <UserMenu name={name} role={role} />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label="Pages">
        <Places leave={close} />
      </AppShell.Navbar>
      <AppShell.Main>
        <Away />
        <Suspense fallback={<Waiting />}>
          <Outlet />
        </Suspense>
      </AppShell.Main>
    </AppShell>
  );
}

export function Shell() {
  const me = useMe();
  return <Answered query={me}>{() => (me.data ? <Frame name={me.data.name} role={me.data.role} /> : <SignIn />)}</Answered>;
}
