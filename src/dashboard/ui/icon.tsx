// Line icons drawn for this page, on a 24 grid. Decorative: the text beside them says what they mean.
const PATHS = {
  overview: "M4 19V11m5 8V5m5 14v-6m5 6V8",
  policies: "M5 6.5h6.5a4 4 0 0 1 4 4v0a4 4 0 0 0 4 4H20m-3-3 3 3-3 3M5 17.5h4",
  requests: "M4 7h16M4 12h11M4 17h7",
  rules: "M6 4v16M6 6h11l-2.5 3L17 12H6",
  rulesets: "m12 4 8 4-8 4-8-4 8-4Zm-8 8 8 4 8-4M4 16l8 4 8-4",
  keys: "M14.5 9.5a4 4 0 1 0-3.4 4L13 15.5h2v2h2v2h3v-3l-5.6-5.6a4 4 0 0 0 .1-1.4Z",
  groups: "M9 11a3.2 3.2 0 1 0 0-6.4A3.2 3.2 0 0 0 9 11Zm-6 8.5c.4-3.2 2.9-5 6-5s5.6 1.8 6 5M16 4.9a3.2 3.2 0 0 1 0 5.9m2 3.9c1.7.7 2.8 2.4 3 4.8",
  providers: "M5 4.5h14v6H5Zm0 9h14v6H5ZM8.5 7.5h.01M8.5 16.5h.01",
  audit: "M7 3.5h7l4 4v13H7Zm7 0v4h4M10 12h5m-5 4h5",
  copy: "M9 9h10v11H9ZM5 15V4h10v2",
  check: "m5 12.5 4.5 4.5L19 7.5",
  edit: "M4 20h4L19.5 8.5l-4-4L4 16Zm9-13 4 4",
  duplicate: "M8 8h11v11H8Zm-3 7V5h10M13.5 11v5M11 13.5h5",
  trash: "M4.5 7h15M9.5 7V4.5h5V7M6.5 7l1 12.5h9l1-12.5M10 11v5m4-5v5",
  plus: "M12 5v14M5 12h14",
  close: "m6 6 12 12M18 6 6 18",
  warning: "M12 4 2.8 19.5h18.4ZM12 10v4.5m0 2.5v.01",
  error: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Zm0-13.5v5.5m0 3v.01",
  info: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Zm0-10v5.5m0-8.5v.01",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm0-13v2m0 14v2M3 12h2m14 0h2M5.6 5.6 7 7m10 10 1.4 1.4m0-12.8L17 7M7 17l-1.4 1.4",
  moon: "M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10Z",
  out: "M14 4.5h5v15h-5M10 8l-4 4 4 4m-4-4h9",
  menu: "M4 7h16M4 12h16M4 17h16",
  up: "m6 14.5 6-6 6 6",
  down: "m6 9.5 6 6 6-6",
  right: "m9.5 6 6 6-6 6",
  left: "m14.5 6-6 6 6 6",
  grip: "M9 6h.01M9 12h.01M9 18h.01M15 6h.01M15 12h.01M15 18h.01",
  play: "M7.5 5v14l11-7Z",
  pause: "M8.5 5v14m7-14v14",
  refresh: "M19.5 11a7.5 7.5 0 1 0-1.7 6M19.5 5v6h-6",
  bolt: "M13 3 5 13.5h6L10 21l9-11h-6.5Z",
  history: "M4.5 9a8 8 0 1 1-.4 4.5M4 4.5V9h4.5M12 8v4.5l3 2",
  shield: "M12 3.5 5 6v5.5c0 4.5 3 7.5 7 9 4-1.5 7-4.5 7-9V6Z",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  const dots = name === "grip";
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width={dots ? 2.6 : 1.8} stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}

export function Logo({ size = 26 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="#5b4bdb" />
      <path d="M9 8.5v8.2a7 7 0 0 0 14 0V8.5" fill="none" stroke="#fff" stroke-width="3.4" stroke-linecap="round" />
      <circle cx="16" cy="8.8" r="2.6" fill="#ffc46b" />
    </svg>
  );
}
