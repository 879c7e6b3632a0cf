import type { Dashboard } from '../../../src/protocol/browser.ts';

type Notice = NonNullable<Dashboard['account']>['notices'][number];

/** The notice that a member's own volume is in trouble, if there is one: marked as such, or by its first words. */
export function storageNotice(notices: readonly Notice[]): Notice | undefined {
  return notices.find(
    (notice) =>
      notice.level !== 'info' &&
      (notice.about === 'storage' || notice.text.startsWith('Your storage is being repaired')),
  );
}
