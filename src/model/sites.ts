/** How a site's program is started. */
export type SiteKind = 'wsgi' | 'command' | 'static';

export type Quickstart = 'flask' | 'django' | 'fastapi' | 'static' | 'manual' | 'command';

/**
 * asleep: defined and enabled, no process. starting: a process is coming up. awake: answering. failed: the last start
 * did not succeed. disabled: switched off by its owner or the operator.
 */
export type SiteState = 'asleep' | 'starting' | 'awake' | 'reloading' | 'stopping' | 'failed' | 'disabled';

/** The steps of starting a site, in order; a failure names one of them. */
export const START_STEPS = ['storage', 'sandbox', 'interpreter', 'import', 'socket', 'answer'] as const;
export type StartStep = (typeof START_STEPS)[number];
