import { Badge, createTheme, type CSSVariablesResolver } from "@mantine/core";

export const theme = createTheme({
  primaryColor: "blue",
  primaryShade: { light: 8, dark: 8 },
  defaultRadius: "md",
  fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif",
  fontFamilyMonospace: "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace",
  cursorType: "pointer",
  // Names are shown in badges, and NODE1 is not the name of node1.
  components: { Badge: Badge.extend({ defaultProps: { tt: "none" } }) },
});

/** Small grey text, and orange on orange, need more contrast than the library gives them (WCAG 2.2, 1.4.3). */
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: { "--mantine-color-orange-light-color": "#a83e00", "--mantine-color-dimmed": "#5c636a", "--mantine-color-placeholder": "#6b7279", "--mantine-color-error": "#c92a2a" },
  dark: { "--mantine-color-dimmed": "#a9b1b9", "--mantine-color-placeholder": "#8f979f", "--mantine-color-error": "#ff8787" },
});
