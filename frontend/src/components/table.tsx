/** A table of any length: sorted, searched, and drawn only where it is looked at. */
import { Box, Group, Text, TextInput, UnstyledButton } from "@mantine/core";
import { IconArrowDown, IconArrowUp, IconSearch } from "@tabler/icons-react";
import {
  createFilteredRowModel,
  createSortedRowModel,
  columnFilteringFeature,
  filterFn_includesString,
  globalFilteringFeature,
  rowSortingFeature,
  sortFn_alphanumeric,
  sortFn_basic,
  tableFeatures,
  useTable,
  type ColumnDef,
} from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef, useState, type ReactNode } from "react";

const features = tableFeatures({
  columnFilteringFeature,
  globalFilteringFeature,
  rowSortingFeature,
  filteredRowModel: createFilteredRowModel(),
  sortedRowModel: createSortedRowModel(),
});

export type Column<T> = {
  /** Also the heading. */
  name: string;
  /** What is sorted and searched by. */
  value: (row: T) => string | number;
  cell?: (row: T) => ReactNode;
  /** CSS grid width. */
  width?: string;
};

type Props<T> = {
  /** What the rows are, for who does not see them. */
  label: string;
  rows: T[];
  columns: Column<T>[];
  id: (row: T) => string;
  open?: (row: T) => void;
  /** Shown when there is no row at all. */
  empty: ReactNode;
  /** What stands beside the search. */
  filters?: ReactNode;
  height?: string;
};

const ROW = 44;

export function DataTable<T extends object>({ label, rows, columns, id, open, empty, filters, height = "calc(100vh - 220px)" }: Props<T>) {
  const [search, setSearch] = useState("");
  const [sorting, setSorting] = useState([{ id: columns[0]!.name, desc: false }]);
  const definitions = useMemo<ColumnDef<typeof features, T>[]>(
    () =>
      columns.map((column) => ({
        id: column.name,
        accessorFn: column.value,
        sortFn: (a, b, key) => (typeof a.getValue(key) === "number" ? sortFn_basic(a, b, key) : sortFn_alphanumeric(a, b, key)),
      })),
    [columns],
  );
  const table = useTable({
    features,
    columns: definitions,
    data: rows,
    getRowId: id,
    state: { globalFilter: search, sorting },
    onSortingChange: setSorting,
    globalFilterFn: filterFn_includesString,
    getColumnCanGlobalFilter: () => true,
  });
  const shown = table.getRowModel().rows;
  const scroll = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: shown.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW,
    getItemKey: (index) => shown[index]!.id,
    overscan: 8,
  });
  if (!rows.length) return <>{empty}</>;
  const grid = { gridTemplateColumns: columns.map((column) => column.width ?? "minmax(110px, 1fr)").join(" ") };
  return (
    <Box>
      <Group mb="xs" gap="xs">
        <TextInput
          aria-label={`Search ${label}`}
          placeholder={`Search ${label}`}
          leftSection={<IconSearch size={16} />}
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
          w={260}
        />
        {filters}
        <Text size="sm" c="dimmed" aria-live="polite">
          {shown.length === rows.length ? rows.length.toLocaleString() : `${shown.length.toLocaleString()} of ${rows.length.toLocaleString()}`}
        </Text>
      </Group>
      <div ref={scroll} className="table" role="table" aria-label={label} aria-rowcount={shown.length + 1} style={{ maxHeight: height }}>
        <div role="row" aria-rowindex={1} className="table-head" style={grid}>
          {columns.map((column) => {
            const sorted = sorting[0]?.id === column.name ? (sorting[0].desc ? "descending" : "ascending") : "none";
            return (
              <div key={column.name} role="columnheader" aria-sort={sorted}>
                <UnstyledButton
                  fz="xs"
                  fw={600}
                  c="dimmed"
                  onClick={() => setSorting([{ id: column.name, desc: sorted === "ascending" }])}
                >
                  {column.name} {sorted === "ascending" ? <IconArrowUp size={12} /> : sorted === "descending" ? <IconArrowDown size={12} /> : null}
                </UnstyledButton>
              </div>
            );
          })}
        </div>
        <div role="rowgroup" style={{ height: virtual.getTotalSize(), position: "relative" }}>
          {virtual.getVirtualItems().map((item) => {
            const row = shown[item.index]!.original;
            return (
              <div
                key={item.key}
                role="row"
                aria-rowindex={item.index + 2}
                className={open ? "table-row openable" : "table-row"}
                style={{ ...grid, height: ROW, transform: `translateY(${item.start}px)` }}
                onClick={(event) => {
                  if (open && !(event.target as HTMLElement).closest("a, button")) open(row);
                }}
              >
                {columns.map((column) => (
                  <div key={column.name} role="cell" className="table-cell">
                    {column.cell ? column.cell(row) : column.value(row)}
                  </div>
                ))}
              </div>
            );
          })}
        </div>
      </div>
    </Box>
  );
}
