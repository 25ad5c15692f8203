// Small pictures, drawn here in a field of 16 by 16 with lines of 1.5. They say nothing to a screen reader: what they
// stand on has a name.

const PATHS = {
  archive: "M2 3h12v3H2z M3 6v7h10V6 M6.5 9h3",
  back: "M10 3 5 8l5 5",
  calendar: "M2.5 3.5h11v10h-11z M2.5 6.5h11 M5.5 1.5v3 M10.5 1.5v3",
  check: "M3 8.5 6.5 12 13 4.5",
  close: "M3.5 3.5l9 9 M12.5 3.5l-9 9",
  columns: "M2 3h12v10H2z M6 3v10 M10 3v10",
  contrast: "M8 1.8a6.2 6.2 0 1 0 .01 0z M8 1.8v12.4 M8 5h4.6 M8 8h6 M8 11h4.6",
  copy: "M5.5 5.5h8v8h-8z M10.5 5.5v-3h-8v8h3",
  cube: "M8 1.8 13.5 5v6L8 14.2 2.5 11V5z M2.5 5 8 8.2 13.5 5 M8 8.2v6",
  delete: "M2.5 4h11 M6 4V2.5h4V4 M4 4l.7 9.5h6.6L12 4 M6.5 6.5v4.5 M9.5 6.5v4.5",
  down: "M3 6l5 5 5-5",
  download: "M8 2v8 M4.5 7 8 10.5 11.5 7 M2.5 13.5h11",
  edit: "M3 13l.7-3L10.5 3.2l2.3 2.3L6 12.3z",
  error: "M8 1.8a6.2 6.2 0 1 0 .01 0z M8 4.8v4 M8 11v.2",
  eye: "M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8z M8 6a2 2 0 1 0 .01 0z",
  filter: "M2 3.5h12L9.5 8.5v4l-3 1v-5z",
  flip: "M8 1.5v13 M6 4 2 12h4z M10 4l4 8h-4z",
  help: "M8 1.8a6.2 6.2 0 1 0 .01 0z M6.2 6.3a1.9 1.9 0 1 1 2.6 1.8c-.6.3-.8.6-.8 1.3 M8 11.5v.01",
  invert: "M2.5 2.5h11v11h-11z M2.5 13.5l11-11 M8 13.5 13.5 8 M11 13.5l2.5-2.5",
  label: "M2.5 2.5h5l6 6-5 5-6-6z M5.3 5.3v.01",
  languages: "M8 1.8a6.2 6.2 0 1 0 .01 0z M2 8h12 M8 2c-4 4-4 8 0 12 M8 2c4 4 4 8 0 12",
  left: "M10 3 5 8l5 5",
  link: "M6.5 9.5l3-3 M7 5l2-2a2.8 2.8 0 0 1 4 4l-2 2 M9 11l-2 2a2.8 2.8 0 0 1-4-4l2-2",
  lock: "M3.5 7h9v6.5h-9z M5.5 7V5a2.5 2.5 0 0 1 5 0v2",
  menu: "M2 4h12 M2 8h12 M2 12h12",
  modify: "M9 3h4v4 M13 3 7 9 M6 3.5H3v9.5h9.5V10",
  more: "M3.5 8v.01 M8 8v.01 M12.5 8v.01",
  move: "M8 1.5v13 M1.5 8h13 M6 3.5l2-2 2 2 M6 12.5l2 2 2-2 M3.5 6l-2 2 2 2 M12.5 6l2 2-2 2",
  panel: "M2 3h12v10H2z M6 3v10",
  pause: "M5 3v10 M11 3v10",
  person: "M8 2.3a2.7 2.7 0 1 0 .01 0z M2.8 13.8c.4-3.2 2.3-4.8 5.2-4.8s4.8 1.6 5.2 4.8",
  planes: "M2.5 2.5h4.5v4.5H2.5z M9 2.5h4.5v4.5H9z M2.5 9h4.5v4.5H2.5z M9 9h4.5v4.5H9z",
  play: "M4.5 2.5l8 5.5-8 5.5z",
  plus: "M8 3v10 M3 8h10",
  refresh: "M13 8a5 5 0 1 1-1.5-3.6L13 6 M13 2.5V6H9.5",
  right: "M6 3l5 5-5 5",
  ruler: "M1.5 11.5l10-10 3 3-10 10z M4 9l1.5 1.5 M6.5 6.5 8 8 M9 4l1.5 1.5",
  scroll: "M8 1.5v13 M5.5 4 8 1.5 10.5 4 M5.5 12 8 14.5l2.5-2.5 M3 8h10",
  search: "M7 2.5a4.5 4.5 0 1 0 .01 0z M10.3 10.3l3.4 3.4",
  send: "M14 2 7 9 M14 2 9.5 14 7 9 2 6.5z",
  settings: "M2 4.5h6 M12 4.5h2 M10 2.8v3.4 M2 11.5h2 M8 11.5h6 M6 9.8v3.4",
  share: "M8 9.5V2 M5 4.8 8 2l3 2.8 M4.5 7H3v6.5h10V7h-1.5",
  sun: "M8 5a3 3 0 1 0 .01 0z M8 1v1.5 M8 13.5V15 M1 8h1.5 M13.5 8H15 M3 3l1 1 M12 12l1 1 M13 3l-1 1 M4 12l-1 1",
  turn: "M3 8a5 5 0 1 0 1.5-3.6L3 6 M3 2.5V6h3.5",
  up: "M3 10l5-5 5 5",
  upload: "M8 10.5v-8 M4.5 6 8 2.5 11.5 6 M2.5 13.5h11",
  warning: "M8 2l6.5 11.5h-13z M8 6.5v3.5 M8 11.8v.1",
  zoom: "M7 2.5a4.5 4.5 0 1 0 .01 0z M10.3 10.3l3.4 3.4 M5 7h4 M7 5v4",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 16 16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
