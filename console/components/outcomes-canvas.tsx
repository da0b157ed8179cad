import { BarController, BarElement, CategoryScale, Chart, Legend, LinearScale, Tooltip } from 'chart.js';
import { useEffect, useRef } from 'react';
import type { TimelineAnswer } from '../../api/schemas.js';
import { useIsDark } from '../app/theme.js';
import { useFormat } from '../texts/format.js';
import { useTexts } from '../texts/language.js';

Chart.register(BarController, BarElement, CategoryScale, LinearScale, Legend, Tooltip);

const OUTCOMES = ['succeeded', 'failed', 'cancelled'] as const;
const DAY_MS = 86_400_000;

export default function OutcomesCanvas({ timeline }: { timeline: TimelineAnswer }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { words, frame } = useTexts();
  const format = useFormat();
  const isDark = useIsDark();
  const { points, spanMs } = timeline;

  useEffect(() => {
    if (!canvas.current) return;
    const style = getComputedStyle(document.documentElement);
    const color = (name: string) => style.getPropertyValue(`--ferry-${name}`).trim();
    const grid = { color: color('line') };
    const ticks = { color: color('text-quiet') };
    const chart = new Chart(canvas.current, {
      type: 'bar',
      data: {
        labels: points.map(({ at }) => (spanMs * points.length > DAY_MS ? format.time(at) : format.clock(at))),
        datasets: OUTCOMES.map((outcome) => ({
          label: words.count[outcome],
          data: points.map((point) => point[outcome]),
          backgroundColor: color(outcome),
        })),
      },
      options: {
        animation: false,
        maintainAspectRatio: false,
        scales: {
          x: { stacked: true, grid: { display: false }, ticks: { ...ticks, maxRotation: 0, autoSkipPadding: 24 } },
          y: { stacked: true, beginAtZero: true, grid, ticks: { ...ticks, precision: 0 } },
        },
        plugins: { legend: { labels: { color: color('text'), boxWidth: 12 } } },
      },
    });
    return () => chart.destroy();
    // Colours are read anew when the theme changes.
  }, [points, spanMs, words, format, isDark]);

  const sum = (outcome: (typeof OUTCOMES)[number]) => points.reduce((total, point) => total + point[outcome], 0);
  const text = OUTCOMES.map((outcome) => `${words.count[outcome]} ${format.number(sum(outcome))}`);
  return (
    <div style={{ height: 220 }}>
      <canvas ref={canvas} role="img" aria-label={`${frame.outcomesOverTime}: ${format.list(text)}`} />
    </div>
  );
}
