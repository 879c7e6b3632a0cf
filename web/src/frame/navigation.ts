import type { IconName } from '../ui/icon.tsx';

export interface Destination {
  to: string;
  label: string;
  icon: IconName;
  /** The second key of its shortcut: `g` then this. */
  key: string;
  /** Needs a home, which an operator's account may not have. */
  needsHome?: boolean;
}

export interface DestinationGroup {
  title: string;
  operator: boolean;
  items: readonly Destination[];
}

/**
 * What the pages have, in the order of the menu. A new page is one line here: consoles, notebooks and databases
 * belong with the member's own.
 */
export const DESTINATIONS: readonly DestinationGroup[] = [
  {
    title: 'Your account',
    operator: false,
    items: [
      { to: '/', label: 'Dashboard', icon: 'dashboard', key: 'd' },
      { to: '/web', label: 'Web', icon: 'globe', key: 'w', needsHome: true },
      { to: '/tasks', label: 'Tasks', icon: 'clock', key: 'k', needsHome: true },
      { to: '/files', label: 'Files', icon: 'folder', key: 'f', needsHome: true },
      { to: '/account', label: 'Account', icon: 'person', key: 'a' },
    ],
  },
  {
    title: 'Platform',
    operator: true,
    items: [
      { to: '/web', label: 'Sites', icon: 'globe', key: 'w' },
      { to: '/accounts', label: 'Accounts', icon: 'people', key: 'u' },
      { to: '/storage', label: 'Storage', icon: 'disks', key: 't' },
      { to: '/incidents', label: 'Incidents', icon: 'pulse', key: 'i' },
      { to: '/drills', label: 'Drills', icon: 'target', key: 'r' },
      { to: '/settings', label: 'Settings', icon: 'sliders', key: 's' },
      { to: '/audit', label: 'Audit log', icon: 'list', key: 'l' },
    ],
  },
];

export function destinationsFor(role: 'member' | 'operator', hasHome: boolean): DestinationGroup[] {
  return DESTINATIONS.filter((group) => !group.operator || role === 'operator').map((group) => ({
    ...group,
    items: group.items.filter(
      (item) => (item.needsHome !== true || hasHome) && !(group.operator && item.to === '/web' && hasHome),
    ),
  }));
}
