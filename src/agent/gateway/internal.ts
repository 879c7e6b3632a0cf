import { request } from 'node:http';

/** What nginx answers on its internal socket: the generation in force and the ports it was made for. */
export interface RunningConfiguration {
  generation: string;
  httpPort: number;
  httpsPort: number;
}

/** Asks nginx which configuration it runs; undefined when it does not answer within `deadlineMs`. */
export async function runningConfiguration(
  socket: string,
  deadlineMs = 2_000,
): Promise<RunningConfiguration | undefined> {
  return await new Promise((resolve) => {
    const asked = request(
      {
        socketPath: socket,
        path: '/generation',
        headers: { Host: 'internal', Connection: 'close' },
        signal: AbortSignal.timeout(deadlineMs),
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('error', () => resolve(undefined));
        response.on('end', () => {
          const [generation, httpPort, httpsPort] = text.split(' ');
          if (response.statusCode !== 200 || generation === undefined) resolve(undefined);
          else resolve({ generation, httpPort: Number(httpPort), httpsPort: Number(httpsPort) });
        });
      },
    );
    // No socket, nobody listening, or too late: all mean that nginx does not answer now.
    asked.on('error', () => resolve(undefined));
    asked.end();
  });
}
