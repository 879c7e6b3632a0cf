import { diskPromises } from '../score.ts';
import type { DrillScript } from '../script.ts';
import { diskName, ORDINARY } from './defaults.ts';
import { killAgent } from './kills.ts';

export const agentKilled: DrillScript = {
  ...ORDINARY,
  name: 'agent-killed',
  async cause(stage) {
    stage.hurtNow(`The disk ${diskName(stage)} stops answering`);
    await stage.faults.hang(stage.target);
    await killAgent(stage, 'The agent is killed at the same moment (kill -9)');
  },
  checks: (outcome) => [
    {
      what: 'The agent is back',
      target: 'within 5 s',
      measured: `${outcome.facts.agentBackAfterS?.toFixed(1) ?? '-'} s`,
      ok: outcome.facts.agentBackAfterS !== undefined && outcome.facts.agentBackAfterS <= 5,
    },
    ...diskPromises(outcome, { locatedS: 6, waitS: 8, absent: 'agent' }),
  ],
};
