import { followClockOffset } from '../runtime/clock-offset.ts';
import { layoutOf, readConfiguration } from '../runtime/config.ts';
import { within } from '../runtime/deadline.ts';
import { readIdentity } from '../runtime/identity.ts';
import { createLogger, outliveWith } from '../runtime/log.ts';
import { RpcClient } from '../runtime/rpc-client.ts';
import { startControl } from './control.ts';
import { endWithParent } from './parent.ts';

const configuration = readConfiguration();
followClockOffset(configuration.runDirectory);
const layout = layoutOf(configuration);
const log = createLogger('control');
outliveWith(log);

process.on('unhandledRejection', (reason) => {
  log.error(
    { error: reason instanceof Error ? reason : new Error(String(reason)) },
    'a promise failed and nobody had asked',
  );
});

let end = (): void => process.exit(0);
if (!endWithParent(() => end())) {
  log.error('the control plane runs only where bwrap started it, and that is gone: see bin/holdfast start');
  process.exit(1);
}

const agent = new RpcClient({ socketPath: layout.agentSocket }, readIdentity(layout.control));
const control = await startControl({ configuration, log, agent, listen: { socketPath: layout.controlSocket } });
log.info({ version: configuration.version }, 'ready');

let stopping = false;
async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  try {
    await within(8_000, 'stopping the control plane', control.stop());
  } catch (error) {
    log.error({ error }, 'could not stop cleanly');
    process.exit(1);
  }
  agent.close();
  process.exit(0);
}
end = () => void stop();
process.on('SIGTERM', () => void stop());
process.on('SIGINT', () => void stop());
