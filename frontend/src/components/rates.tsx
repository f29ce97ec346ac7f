/** Two rates over time, drawn by uPlot. */
import { useComputedColorScheme } from "@mantine/core";
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { formatRate } from "@/lib/format";
import type { Sample } from "@/lib/statistics";

/** `samples`: seconds since 1970, bytes per second. */
export default function Rates({ samples }: { samples: Sample[] }) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const dark = useComputedColorScheme("light") === "dark";
  useEffect(() => {
    const ink = dark ? "#c1c2c5" : "#495057";
    const axis = { stroke: ink, grid: { stroke: dark ? "#373a40" : "#e9ecef" } };
    chart.current = new uPlot(
      {
        width: place.current!.clientWidth,
        height: 140,
        series: [{}, { label: "received", stroke: "#2f9e44", width: 2 }, { label: "sent", stroke: "#1c7ed6", width: 2 }],
        axes: [axis, { ...axis, size: 70, values: (_, values) => values.map(formatRate) }],
        scales: { y: { range: (_, __, max) => [0, Math.max(max, 1000)] } },
        legend: { show: true },
      },
      [[], [], []],
      place.current!,
    );
    const watch = new ResizeObserver(() => chart.current?.setSize({ width: place.current!.clientWidth, height: 140 }));
    watch.observe(place.current!);
    return () => {
      watch.disconnect();
      chart.current?.destroy();
      chart.current = null;
    };
  }, [dark]);
  useEffect(() => {
    chart.current?.setData([samples.map((each) => each.at), samples.map((each) => each.rx), samples.map((each) => each.tx)]);
  }, [samples, dark]);
  return <div ref={place} role="img" aria-label="Received and sent bytes per second" />;
}
