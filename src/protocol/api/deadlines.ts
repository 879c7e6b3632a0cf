/** How long nothing may come through a stream before whoever reads or writes it gives it up, milliseconds. */

/** The control plane's heart beats in it every two seconds; a page without one says that it is not up to date, and connects again. */
export const EVENTS_IDLE_MS = 6_000;
/** A file on its way to or from a member's storage. */
export const FILE_IDLE_MS = 60_000;
/** Text that is made when it is asked for. */
export const TEXT_IDLE_MS = 30_000;
