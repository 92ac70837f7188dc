// Time series on uPlot. The legend tells the values under the pointer; colours come from the theme's own names.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { fullTime } from "../lib/format";
import { shown } from "../lib/theme";

export type SeriesTone = "good" | "saved" | "bad" | "warn" | "idle" | "accent";

export interface Series {
  label: string;
  tone: SeriesTone;
  values: (number | null)[];
}

interface Props {
  label: string;
  /** Unix seconds. */
  times: number[];
  series: Series[];
  format: (value: number | null | undefined) => string;
  /** Bars on top of each other, first series at the bottom; else lines. */
  stacked?: boolean;
  height?: number;
}

export function Chart({ label, times, series, format, stacked = false, height = 210 }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState<number | null>(null);
  const plot = useRef<uPlot | null>(null);
  const names = series.map((one) => one.label).join("|");
  const data = aligned(times, series, stacked);
  const latest = useRef(data);
  latest.current = data;

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const css = getComputedStyle(document.documentElement);
    const options = optionsFor({ series, stacked, format, width: element.clientWidth, height, color: (name) => css.getPropertyValue(`--${name}`).trim(), onCursor: setAt });
    const made = new uPlot(options, latest.current, element);
    plot.current = made;
    const watch = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    watch.observe(element);
    return () => {
      watch.disconnect();
      made.destroy();
    };
  }, [names, stacked, shown.value, height]);

  useEffect(() => plot.current?.setData(latest.current), [times, ...series.map((one) => one.values)]);

  const last = at ?? null;
  return (
    <figure class="chart stack tight" role="group" aria-label={label}>
      <div class="legend-row num">
        {series.map((one) => (
          <span key={one.label}>
            <i class={`swatch ${stacked ? "area " : ""}${one.tone}`} /> {one.label}
            {last !== null && <strong>{format(one.values[last])}</strong>}
          </span>
        ))}
        {last !== null && times[last] !== undefined && <span class="push">{fullTime(times[last] * 1000)}</span>}
      </div>
      <div class="chart-box" ref={box} role="img" aria-label={`${label}, ${times.length} points`} />
    </figure>
  );
}

/** For a stack each bar is the sum of its own and all below; drawn from the tallest down. */
function aligned(times: number[], series: Series[], stacked: boolean): uPlot.AlignedData {
  if (!stacked) return [times, ...series.map((one) => one.values)];
  const sums: number[][] = [];
  series.forEach((one, n) => sums.push(one.values.map((value, i) => (value ?? 0) + (n ? sums[n - 1]?.[i] ?? 0 : 0))));
  return [times, ...sums.reverse()];
}

interface Drawing {
  series: Series[];
  stacked: boolean;
  format: Props["format"];
  width: number;
  height: number;
  color: (name: string) => string;
  onCursor: (index: number | null) => void;
}

function optionsFor({ series, stacked, format, width, height, color, onCursor }: Drawing): uPlot.Options {
  const drawn = stacked ? [...series].reverse() : series;
  const axis = { stroke: color("faint"), font: "12px system-ui, sans-serif", grid: { stroke: color("line"), width: 1 }, ticks: { show: false } };
  return {
    width,
    height,
    padding: [8, 18, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: { x: { range: (plot, min, max) => widened(plot.data[0], min, max, stacked) }, y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.08 : 1] } },
    axes: [
      { ...axis, grid: { show: false }, size: 28, gap: 6, space: 64, values: (_plot, ticks) => ticks.map(moment) },
      { ...axis, size: 56, gap: 4, space: 40, values: (_plot, ticks) => ticks.map((tick) => format(tick).replace(/\.0+(?=\D|$)/, "")) },
    ],
    series: [
      {},
      ...drawn.map((one) => ({
        label: one.label,
        stroke: color(stacked ? `fill-${one.tone}` : one.tone),
        width: stacked ? 0 : 1.8,
        paths: stacked ? uPlot.paths.bars?.({ size: [0.76, 46] }) : undefined,
        fill: stacked ? color(`fill-${one.tone}`) : undefined,
        points: { show: !stacked && one.values.filter((value) => value !== null).length <= FEW, size: 5, fill: color(one.tone) },
        spanGaps: true,
      })),
    ],
    hooks: { setCursor: [(plot) => onCursor(plot.cursor.idx ?? null)] },
  };
}

/** Up to so many points a line shows each of them: a lone one would not be seen. */
const FEW = 12;

/** Half a bucket more on either side, so that the first and the last bar are whole. */
function widened(times: ArrayLike<number> | undefined, min: number, max: number, stacked: boolean): [number, number] {
  const half = times && times.length > 1 ? ((times[1] ?? 0) - (times[0] ?? 0)) / 2 : 1800;
  return stacked || min === max ? [min - half, max + half] : [min, max];
}

/** Midnight is told as its day, every other moment as its time. */
function moment(seconds: number): string {
  const date = new Date(seconds * 1000);
  const midnight = date.getHours() === 0 && date.getMinutes() === 0;
  return midnight ? DAY.format(date) : CLOCK.format(date);
}

const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
