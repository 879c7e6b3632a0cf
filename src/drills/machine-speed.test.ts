import { expect, test } from 'vitest';
import { until } from '../runtime/deadline.ts';
import { MachineSpeed } from './machine-speed.ts';

test('the speed of the machine is told of the moments in which it was measured, and of no others', async () => {
  const begun = Date.now();
  using machine = new MachineSpeed();
  await until(() => machine.mean(begun, Date.now()) !== undefined, 'the first measurement', 20_000);
  expect(machine.mean(begun, Date.now())).toBeGreaterThan(0);
  expect(machine.mean(begun - 10_000, begun - 1)).toBeUndefined();
});
