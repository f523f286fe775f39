import { PartDown, type HealthPart } from '#shared/runtime/health/health-part';
import { PartProbe } from '#shared/runtime/health/part-probe';
import { createLogger } from '#shared/runtime/logger';

function probeOf(check: HealthPart['check'], limitMs?: number): { probe: PartProbe; lines: string[] } {
  const lines: string[] = [];
  const log = createLogger({
    service: 'test',
    level: 'info',
    form: 'json',
    out: { write: (line) => void lines.push((JSON.parse(line) as { msg: string }).msg) },
  });
  return { probe: new PartProbe({ name: 'store', required: true, limitMs, check }, log), lines };
}

const failure = (fields: object): Error => Object.assign(new Error('connect to db.internal:5432 failed'), fields);

describe('PartProbe', () => {
  it('is up when the check resolves', async () => {
    await expect(probeOf(async () => undefined).probe.state()).resolves.toEqual({ state: 'up', required: true });
  });

  it.each([
    [new PartDown('the stream is not there'), 'the stream is not there'],
    [failure({ code: 'ECONNREFUSED' }), 'connection refused'],
    [failure({ code: '57P03' }), 'starting up'],
    [failure({ code: 'TIMEOUT' }), 'no answer in time'],
    [failure({ name: 'AbortError' }), 'no answer in time'],
    [failure({}), 'the check failed'],
  ])('is down with a reason that names no host (%p)', async (error, reason) => {
    const state = await probeOf(() => Promise.reject(error)).probe.state();
    expect(state).toEqual({ state: 'down', required: true, reason });
  });

  it('is down when the check throws at once', async () => {
    const { probe } = probeOf(() => {
      throw failure({ code: 'ECONNRESET' });
    });
    await expect(probe.state()).resolves.toMatchObject({ state: 'down', reason: 'connection lost' });
  });

  it('answers in time though the check heeds nothing, and does not start it anew while it hangs', async () => {
    const check = jest.fn(() => new Promise<void>(() => undefined));
    const { probe } = probeOf(check, 20);
    const states = await Promise.all([probe.state(), probe.state()]);
    states.push(await probe.state());
    for (const state of states)
      expect(state).toEqual({ state: 'down', required: true, reason: 'no answer within 20 ms' });
    expect(check).toHaveBeenCalledTimes(1);
  });

  it('tells the check when its time is over', async () => {
    let heard: () => void;
    const aborted = new Promise<void>((resolve) => (heard = resolve));
    const { probe } = probeOf(async (signal) => {
      signal.addEventListener('abort', () => heard());
      await aborted;
      throw new Error('given up');
    }, 20);
    await expect(probe.state()).resolves.toMatchObject({ state: 'down' });
    await aborted;
  });

  it('logs a change once', async () => {
    let works = true;
    const { probe, lines } = probeOf(() => (works ? Promise.resolve() : Promise.reject(new Error('away'))));
    await probe.state();
    works = false;
    await probe.state();
    await probe.state();
    works = true;
    await probe.state();
    await probe.state();
    expect(lines).toEqual(['a part is down', 'a part is up again']);
  });
});
