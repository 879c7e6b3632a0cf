import type { VolumeStatus } from '../../protocol/volumes.ts';

/** What a start has to say when it is over: `ready`, or what of it is not. The first line always begins with the word. */
export function readyLines(volumes: readonly VolumeStatus[], url: string): string[] {
  const shut = volumes.filter(({ state, wantedOpen }) => state === 'trouble' || (state === 'closed' && wantedOpen));
  if (shut.length === 0) return [`ready ${url}`];
  return [
    `ready except for ${shut.map(({ name }) => name).join(', ')}: ${url}`,
    ...shut.map(
      ({ name, trouble }) =>
        `  ${trouble ?? `The volume ${name} is not open yet.`} Its members are without service until it is open; it is tried again every few seconds. What to do: holdfast recover ${name} --dry-run`,
    ),
  ];
}
