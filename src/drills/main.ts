import { DRILLS } from '../model/drills.ts';

for (const drill of DRILLS) process.stdout.write(`${drill.name}\n`);
