/**
 * A CQL server that does nothing but answer: runs as a child process, so that its CPU is not counted as the
 * client's. Writes are acknowledged, reads get one row, every packet of requests is answered in one write.
 */
import { createServer, type AddressInfo, type Socket } from 'node:net';
import type { StubCommand, StubMessage } from './messages.js';
import { type ReceivedWrite, RequestReader } from './requests.js';
import { answerQuery, PreparedStatements } from './stub-answers.js';
import {
  type Answer,
  frames,
  HEADER_BYTES,
  READY,
  REQUEST,
  SUPPORTED,
  UNSUPPORTED_VERSION,
  VERSION,
  VOID,
} from './wire.js';

const NOTHING = Buffer.alloc(0);
const statements = new PreparedStatements();
let recorded: ReceivedWrite[] | undefined;

function serve(socket: Socket): void {
  let rest = NOTHING;
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    const data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const answers: Answer[] = [];
    const streamIds: number[] = [];
    let offset = 0;
    while (data.length - offset >= HEADER_BYTES) {
      const end = offset + HEADER_BYTES + data.readUInt32BE(offset + 5);
      if (end > data.length) break;
      streamIds.push(data.readInt16BE(offset + 2));
      answers.push(answer(data, offset));
      offset = end;
    }
    rest = offset === data.length ? NOTHING : data.subarray(offset);
    if (answers.length > 0) socket.write(frames(answers, streamIds));
  });
}

function answer(data: Buffer, start: number): Answer {
  if (data[start] !== VERSION) return UNSUPPORTED_VERSION;
  const body = start + HEADER_BYTES;
  switch (data[start + 4]) {
    case REQUEST.execute:
      recorded?.push(new RequestReader(data, body).execute());
      return statements.answer(data, body);
    case REQUEST.batch:
      recorded?.push(new RequestReader(data, body).batch());
      return VOID;
    case REQUEST.prepare:
      return statements.prepare(new RequestReader(data, body).longString());
    case REQUEST.query:
      return answerQuery(new RequestReader(data, body).longString());
    case REQUEST.options:
      return SUPPORTED;
    default:
      return READY;
  }
}

function tell(message: Partial<StubMessage>): void {
  process.send?.(message);
}

// Without a parent there is nobody left to serve, however it ended.
process.on('disconnect', () => process.exit());
process.on('message', (command: StubCommand) => {
  if (command === 'received') tell({ received: recorded ?? [] });
  recorded = [];
});

const server = createServer(serve);
server.listen(0, '127.0.0.1', () => tell({ port: (server.address() as AddressInfo).port }));
