/** State is always said three ways: colour, shape, word. This is the first two. */
export type Tone = 'good' | 'quiet' | 'busy' | 'warn' | 'bad' | 'off';
