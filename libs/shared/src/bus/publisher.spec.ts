import type { Msg } from 'nats';
import type { NatsBus } from '#shared/bus/nats-bus';
import { Publisher } from '#shared/bus/publisher';

/** A bus that sends nothing, and is told what the stream answers. */
function pretendBus() {
  const sent: { payload: string; reply: string }[] = [];
  let hear: (message: Msg) => void = () => undefined;
  const bus = {
    ...{ isConnected: true, maxPayloadBytes: 1_000_000 },
    send: (_: string, payload: Uint8Array, reply: string) => sent.push({ payload: payload.toString(), reply }) > 0,
    subscribe: (_: string, handler: typeof hear) => {
      hear = handler;
      return { unsubscribe: () => undefined };
    },
    onDisconnect: () => () => undefined,
  } as unknown as NatsBus;
  const acknowledge = (nth: number): void => {
    const data = Buffer.from(JSON.stringify({ stream: 'S', seq: nth + 1 }));
    const message = {
      subject: sent[nth]?.reply,
      data,
      string: () => data.toString(),
      json: (): unknown => JSON.parse(String(data)),
    };
    hear(message as unknown as Msg);
  };
  return { bus, sent, acknowledge };
}

afterEach(() => jest.restoreAllMocks());

it('does not send what has waited for longer than a publish may take, though a reply comes before any timer', async () => {
  let nowMs = 1_000;
  jest.spyOn(performance, 'now').mockImplementation(() => nowMs);
  const { bus, sent, acknowledge } = pretendBus();
  const publisher = new Publisher(bus, { timeoutMs: 500, maxInFlight: 1 });
  const first = publisher.publish('s', 'first', '1');
  const second = publisher.publish('s', 'second', '2');
  nowMs = 1_300;
  const third = publisher.publish('s', 'third', '3');
  nowMs = 1_600; // as after a stop of the process
  acknowledge(0);
  expect(await first).toMatchObject({ kind: 'stored' });
  expect(await second).toMatchObject({ kind: 'refused' });
  acknowledge(1);
  expect(await third).toMatchObject({ kind: 'stored' });
  expect(sent.map(({ payload }) => payload)).toEqual(['first', 'third']);
  await publisher.drain(100);
});
