import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type ClientProxy, ClientProxyFactory } from '@nestjs/microservices';
import { askWithin, natsClientOptions } from '#shared/bus/nest-transport';
import { NatsBus } from '#shared/bus/nats-bus';
import { respond } from '#shared/bus/signals';
import { until } from '../support/poll';
import { startTestNats, type TestNats } from '../support/test-nats';
import { TestLog, numbers } from './bus-stage';

/** A microservice as a process of its own, since what is tested would end it. */
const SERVICE = `
  require('reflect-metadata');
  const { Controller, Module } = require('@nestjs/common');
  const { NestFactory } = require('@nestjs/core');
  const { EventPattern, MessagePattern, Payload } = require('@nestjs/microservices');
  const { isMalformed, natsMicroserviceOptions } = require('#shared/bus/nest-transport');
  class Desk {
    constructor() { this.malformed = 0; }
    echo(data) { return { got: data, malformed: this.malformed }; }
    hear(data) { if (isMalformed(data)) this.malformed += 1; }
    fail() { throw new Error('the handler failed'); }
  }
  const decorate = (method, decorator) => {
    decorator(Desk.prototype, method, Object.getOwnPropertyDescriptor(Desk.prototype, method));
    Payload()(Desk.prototype, method, 0);
  };
  decorate('echo', MessagePattern('desk.echo'));
  decorate('hear', EventPattern('desk.hear'));
  decorate('fail', MessagePattern('desk.fail'));
  Controller()(Desk);
  class App {}
  Module({ controllers: [Desk] })(App);
  const options = natsMicroserviceOptions({ url: process.argv[1], name: 'desk' });
  if (process.argv[2] === 'unguarded') delete options.options.deserializer;
  NestFactory.createMicroservice(App, { ...options, logger: false })
    .then((app) => app.listen())
    .then(() => console.log('ready'));
`;
const JUNK = [
  '',
  '{',
  'null',
  '5',
  '"text"',
  '[]',
  '{"id":null}',
  '{"id":{}}',
  '{"pattern":{},"id":1}',
  '\0\u00ff',
  '{"__proto__":{"id":1}}',
];

describe('Nest’s NATS transport', () => {
  let nats: TestNats;
  let bus: NatsBus;
  let service: ChildProcess | undefined;
  let client: ClientProxy | undefined;

  beforeEach(async () => {
    nats = await startTestNats();
    bus = await NatsBus.connect({ url: nats.url, name: 'nest-spec', log: new TestLog() });
  });
  afterEach(async () => {
    await client?.close();
    await bus.close(1_000);
    if (service && service.exitCode === null && service.signalCode === null) {
      service.kill('SIGKILL');
      await once(service, 'exit');
    }
    await nats.stop();
  });

  const start = async (mode: 'guarded' | 'unguarded'): Promise<ChildProcess> => {
    const root = join(__dirname, '..', '..');
    service = spawn(process.execPath, ['-e', SERVICE, nats.url, mode], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let said = '';
    service.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await until(() => said.includes('ready'), { deadlineMs: 20_000, what: 'the microservice' });
    return service;
  };
  const connect = (): ClientProxy => {
    client = ClientProxyFactory.create(natsClientOptions({ url: nats.url, name: 'nest-spec-client' }));
    return client;
  };
  const sendJunk = async (): Promise<void> => {
    for (const subject of ['desk.echo', 'desk.hear', 'desk.fail']) {
      for (const junk of JUNK) {
        bus.send(subject, junk);
        bus.send(subject, junk, 'some.reply');
      }
    }
    await bus.ping(1_000);
  };

  it('survives thousands of messages that are none, and says to the handler which they are', async () => {
    const running = await start('guarded');
    for (let round = 0; round < 100; round += 1) await sendJunk();
    const answer = await askWithin(connect(), 'desk.echo', { n: 1 }, 10_000);
    // '', '{' and two control characters are no JSON; each came with and without a reply subject
    expect(answer).toEqual({ got: { n: 1 }, malformed: 100 * 3 * 2 });
    expect(running.exitCode).toBeNull();
  });

  it('would not without its deserializer', async () => {
    const running = await start('unguarded');
    const ended = once(running, 'exit');
    await sendJunk();
    expect((await ended)[0]).not.toBe(0);
  });

  it('answers, with a time limit and errors that are errors', async () => {
    await start('guarded');
    const desk = connect();
    expect(await askWithin(desk, 'desk.echo', 'ü', 5_000)).toMatchObject({ got: 'ü' });
    await expect(askWithin(desk, 'desk.fail', 1, 5_000)).rejects.toThrow('desk.fail was answered with an error');
    await expect(askWithin(desk, 'desk.nobody', 1, 5_000)).rejects.toBeInstanceOf(Error);
    const silent = bus.subscribe('desk.silent', () => undefined);
    await bus.ping(1_000);
    await expect(askWithin(desk, 'desk.silent', 1, 200)).rejects.toThrow(/Timeout/);
    silent.unsubscribe();
  });

  it('a client survives replies that are none', async () => {
    const stop = respond(bus, 'desk.junk', (question) => {
      const { data } = JSON.parse(question) as { data: number };
      return JUNK[data] ?? '';
    });
    await bus.ping(1_000);
    const desk = connect();
    for (const number of numbers(JUNK.length)) {
      const asked = askWithin(desk, 'desk.junk', Number(number), 1_000).catch((error: unknown) => error);
      expect(await asked).toBeDefined();
    }
    await expect(askWithin(desk, 'desk.junk', 1, 1_000)).rejects.toThrow('the reply is no JSON');
    stop();
  });
});
