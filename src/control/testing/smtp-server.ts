import { createServer, type AddressInfo, type Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';

export interface ReceivedMail {
  from: string;
  to: string[];
  data: string;
  /** Whether it came through TLS. */
  encrypted: boolean;
  user: string | undefined;
}

export interface SmtpServer extends AsyncDisposable {
  port: number;
  mails: ReceivedMail[];
  /** Answers to MAIL FROM that are given instead of 250, one each; for servers that are busy. */
  refusals: string[];
}

interface Options {
  /** PEM; with it the server offers STARTTLS, or speaks TLS from the start. */
  tls?: { key: string; cert: string; from: 'start' | 'starttls' };
  /** Who may send. */
  login?: { user: string; password: string };
}

/** Enough of SMTP (RFC 5321, STARTTLS, AUTH PLAIN) to receive a mail for real. */
export async function openSmtpServer(options: Options = {}): Promise<SmtpServer> {
  const mails: ReceivedMail[] = [];
  const refusals: string[] = [];
  const sockets = new Set<Socket>();
  const context = options.tls && createSecureContext({ key: options.tls.key, cert: options.tls.cert });
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    if (options.tls?.from === 'start') talk(secure(socket), true, true);
    else talk(socket, false, true);
  });

  function secure(socket: Socket): TLSSocket {
    const encrypted = new TLSSocket(socket, { isServer: true, ...(context ? { secureContext: context } : {}) });
    encrypted.on('error', () => undefined);
    return encrypted;
  }

  function talk(socket: Socket, encrypted: boolean, greet: boolean): void {
    let buffered = '';
    let mail: ReceivedMail = { from: '', to: [], data: '', encrypted, user: undefined };
    let receiving = false;
    const say = (line: string): void => void socket.write(`${line}\r\n`);

    function command(line: string): void {
      const verb = line.slice(0, 4).toUpperCase();
      if (verb === 'EHLO') {
        say('250-test');
        if (options.tls?.from === 'starttls' && !encrypted) say('250-STARTTLS');
        say(options.login ? '250 AUTH PLAIN' : '250 SIZE 1000000');
      } else if (line.toUpperCase() === 'STARTTLS' && options.tls) {
        say('220 go');
        socket.removeAllListeners('data');
        talk(secure(socket), true, false);
      } else if (verb === 'AUTH') {
        const [, user, password] = Buffer.from(line.split(' ')[2] ?? '', 'base64')
          .toString()
          .split('\0');
        const right = user === options.login?.user && password === options.login?.password;
        if (right) mail.user = user;
        // Some servers repeat what they were told.
        say(right ? '235 welcome' : `535 wrong password ${password ?? ''}`);
      } else if (verb === 'MAIL') {
        const refusal = refusals.shift();
        if (refusal === undefined && options.login && mail.user === undefined) say('530 sign in first');
        else if (refusal === undefined) {
          mail.from = line;
          say('250 ok');
        } else say(refusal);
      } else if (verb === 'RCPT') {
        mail.to.push(line);
        say('250 ok');
      } else if (verb === 'DATA') {
        receiving = true;
        say('354 send');
      } else if (verb === 'QUIT') {
        say('221 bye');
        socket.end();
      } else say(verb === 'STAR' ? '502 no such command' : '250 ok');
    }

    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      buffered += chunk;
      for (;;) {
        const mark = receiving ? '\r\n.\r\n' : '\r\n';
        const end = buffered.indexOf(mark);
        if (end === -1) return;
        const text = buffered.slice(0, end);
        buffered = buffered.slice(end + mark.length);
        if (!receiving) command(text);
        else {
          mails.push({ ...mail, data: text });
          mail = { from: '', to: [], data: '', encrypted, user: mail.user };
          receiving = false;
          say('250 taken');
        }
      }
    });
    if (greet) say('220 test ESMTP');
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    mails,
    refusals,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
