import { connect } from 'node:net';

/** Whether a server answers as expected on a connection of its own: to a request, or to being connected to. */
export function answers(
  { host, port }: { host: string; port: number },
  request: Buffer | undefined,
  expected: (answer: Buffer) => boolean,
): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port }, () => {
      if (request) socket.write(request);
    });
    socket.setTimeout(1_000, () => socket.destroy());
    socket.on('error', () => undefined); // `close` follows
    socket.once('data', (answer) => {
      resolve(expected(answer));
      socket.destroy();
    });
    socket.once('close', () => resolve(false));
  });
}
