import type { JSX } from 'react';

/** Line icons on a 16-pixel grid, drawn for these pages; always beside words or in a button that has a label. */
const PATHS = {
  dashboard: 'M2.5 9.5a5.5 5.5 0 1 1 11 0M8 9.5l2.5-3M2.5 12.5h11',
  globe:
    'M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 8 2.2ZM2.4 8h11.2M8 2.2c2 1.7 2.8 3.6 2.8 5.8S10 12.100 8 13.8C6 12.100 5.200 10.200 5.200 8S6 3.900 8 2.200Z',
  folder: 'M2 12.500v-9h4l1.500 2H14v7Z',
  file: 'M4 2h5l3 3v9H4ZM9 2v3h3',
  link: 'M6.500 9.500l3-3M7 4.500l1.200-1.200a3 3 0 0 1 4.300 4.300L11.300 8.800M9 11.500l-1.200 1.200a3 3 0 0 1-4.300-4.300l1.200-1.200',
  person:
    'M8 8a2.700 2.700 0 1 0 0-5.400A2.700 2.700 0 0 0 8 8ZM2.800 13.500c.5-2.700 2.500-4 5.200-4s4.700 1.300 5.200 4',
  people:
    'M6 7.500A2.300 2.300 0 1 0 6 2.900a2.300 2.300 0 0 0 0 4.600ZM1.500 13c.4-2.500 2-3.700 4.500-3.700s4.100 1.200 4.500 3.700M10.500 3.200a2.200 2.200 0 0 1 0 4.200M12 9.700c1.500.5 2.300 1.600 2.600 3.300',
  disks:
    'M2.500 4.200c0-1 1.100-1.700 2.500-1.700s2.500.700 2.500 1.700v7.600c0 1-1.100 1.700-2.500 1.700s-2.500-.700-2.500-1.700ZM2.500 4.200c0 1 1.100 1.700 2.500 1.700s2.500-.700 2.500-1.700M9.500 4.200c0-1 1-1.700 2.200-1.700s2.300.700 2.300 1.700v7.600c0 1-1 1.700-2.300 1.700s-2.200-.700-2.200-1.700ZM9.500 4.200c0 1 1 1.700 2.200 1.700S14 5.200 14 4.200',
  sliders: 'M2.500 4.500h6M11.500 4.500h2M2.500 11.500h2M7.500 11.500h6M10 3v3M6 10v3',
  list: 'M5.500 4h8M5.500 8h8M5.500 12h8M2.500 4h.500M2.500 8h.500M2.500 12h.500',
  plus: 'M8 3v10M3 8h10',
  upload: 'M8 10.500V3M5 5.800 8 2.800l3 3M2.500 10.500v3h11v-3',
  download: 'M8 2.800v7.700M5 7.700l3 3 3-3M2.500 11v2.500h11V11',
  reload: 'M13 8a5 5 0 1 1-1.500-3.600M13.200 2.200v2.800h-2.800',
  open: 'M6 3.500H3v9.500h9.500V10M9 2.800h4.200V7M13 3 7.500 8.500',
  power: 'M8 2.500v5M4.800 4.500a5 5 0 1 0 6.400 0',
  trash: 'M3 4.500h10M6.200 4.500v-2h3.600v2M4.300 4.500l.6 9h6.200l.6-9M6.800 7v4M9.200 7v4',
  pencil: 'M3 13l.7-2.900 7-7a1.300 1.300 0 0 1 1.900 0l.3.300a1.300 1.300 0 0 1 0 1.900l-7 7Z',
  check: 'M3 8.500 6.500 12 13 4.500',
  cross: 'M4 4l8 8M12 4l-8 8',
  warning: 'M8 2.500 14.300 13.500H1.700ZM8 6.500v3.200M8 11.500v.300',
  problem: 'M5.300 2h5.400L14 5.300v5.400L10.700 14H5.300L2 10.700V5.300ZM8 5v3.800M8 11v.300',
  info: 'M8 2.200a5.800 5.800 0 1 0 0 11.600A5.800 5.800 0 0 0 8 2.200ZM8 7.300v3.700M8 4.800v.300',
  copy: 'M6 6h7.500v7.500H6ZM3.500 10.300H2.500V2.500h7.800v1',
  moon: 'M13 9.600A5.500 5.500 0 1 1 6.400 3a4.500 4.500 0 0 0 6.600 6.600Z',
  sun: 'M8 5.200a2.800 2.800 0 1 0 0 5.600 2.800 2.800 0 0 0 0-5.600ZM8 1.500v1.200M8 13.300v1.200M1.500 8h1.200M13.300 8h1.200M3.400 3.400l.900.900M11.700 11.700l.900.900M3.400 12.600l.900-.900M11.700 4.300l.900-.900',
  screen: 'M2 3h12v8H2ZM5.500 13.500h5M8 11v2.500',
  menu: 'M2.500 4.500h11M2.500 8h11M2.500 11.500h11',
  out: 'M6.500 2.500h-4v11h4M10 5l3 3-3 3M13 8H6',
  help: 'M6 6.100a2.050 2.050 0 1 1 2.900 1.900c-.600.300-.900.700-.900 1.400v.300M8 11.800v.300M8 1.800a6.200 6.200 0 1 0 0 12.400A6.200 6.200 0 0 0 8 1.800Z',
  chevron: 'M6 3.500 10.500 8 6 12.500',
  down: 'M3.500 6 8 10.500 12.500 6',
  more: 'M3.500 8h.300M8 8h.300M12.500 8h.300',
  key: 'M5.200 8.200a2.700 2.700 0 1 0 0 5.400 2.700 2.700 0 0 0 0-5.400ZM7.200 9l6-6M11 5.200l1.800 1.800',
  lock: 'M4 7.200h8v6.300H4ZM5.700 7.200V5a2.300 2.300 0 0 1 4.600 0v2.200',
  home: 'M2.500 7.500 8 2.800l5.500 4.700M4 6.500v7h8v-7',
  search: 'M7 2.800a4.200 4.200 0 1 0 0 8.400 4.200 4.200 0 0 0 0-8.400ZM10.200 10.200l3.300 3.300',
  wrap: 'M2.500 4h11M2.500 8h8.500a2 2 0 0 1 0 4H8M9.500 10.300 7.800 12l1.700 1.700M2.500 12H5',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }): JSX.Element {
  return (
    <svg className="icon" width={size} height={size} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** Two replicas, tied together: an H that is also what the platform does. */
export function LogoMark({ size = 28 }: { size?: number }): JSX.Element {
  return (
    <svg className="logo-mark" width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect className="logo-ground" width="32" height="32" rx="7" />
      <rect className="logo-stem" x="7" y="6" width="5" height="20" rx="2.5" />
      <rect className="logo-stem" x="20" y="6" width="5" height="20" rx="2.5" />
      <path className="logo-tie" d="M9.5 12.5c6 0 7 7 13 7M9.5 19.5c6 0 7-7 13-7" />
    </svg>
  );
}

export function Wordmark(): JSX.Element {
  return (
    <span className="wordmark">
      <LogoMark />
      <span>Holdfast</span>
    </span>
  );
}
