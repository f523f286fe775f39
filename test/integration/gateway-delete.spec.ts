import type { JobView, Problem } from '#shared/contracts/job';
import { GatewayStage } from './gateway-stage';
import { PretendWorker } from './pretend-worker';

let stage: GatewayStage;
let worker: PretendWorker;

beforeAll(async () => {
  stage = await GatewayStage.start();
  worker = await PretendWorker.start(stage.database.url);
});
afterAll(async () => {
  await worker.stop();
  await stage.stop();
});

const submit = async (over: object = {}): Promise<string> =>
  (await stage.submit({ pipeline: 'chain', steps: ['a'], ...over })).body.id;

const remove = (id: string) => stage.call<Problem | ''>('DELETE', `/v1/ingest/${id}`);

async function detailOf(id: string): Promise<[status: number, detail: string | undefined]> {
  const { status, body } = await remove(id);
  return [status, body === '' ? undefined : body.detail];
}

it('deletes a finished job: 204, then it is nowhere, and the log says who did what', async () => {
  const id = await submit({ idempotency_key: 'once' });
  await worker.fail(id);
  const { status, body } = await remove(id);
  expect([status, body]).toEqual([204, '']);
  for (const path of ['', '/attempts', '/logs']) expect((await stage.get(`/v1/ingest/${id}${path}`)).status).toBe(404);
  expect((await stage.get<{ items: JobView[] }>('/v1/ingest')).body.items.map((job) => job.id)).not.toContain(id);
  expect((await stage.get<{ items: unknown[] }>(`/v1/dead_letters?job_id=${id}`)).body.items).toEqual([]);
  expect((await remove(id)).status).toBe(404);
  const said = stage.lines.filter((line) => line.includes('"called"') && line.includes('DELETE /v1/ingest/:id'));
  expect(said[0]).toContain(`"job":"${id}"`);
  expect(said[0]).toContain('"status":204');
  // its key is free
  expect((await stage.submit({ pipeline: 'wide', idempotency_key: 'once' })).status).toBe(202);
});

it('refuses a job that has not ended, and says what to do', async () => {
  const id = await submit();
  expect(await detailOf(id)).toEqual([409, expect.stringContaining('Cancel it first') as string]);
  await worker.begin(id);
  expect(await detailOf(id)).toEqual([409, expect.stringContaining('is running') as string]);
  await stage.post(`/v1/ingest/${id}/cancel`, {});
  expect(await detailOf(id)).toEqual([409, expect.stringContaining('is being cancelled') as string]);
  expect((await stage.get(`/v1/ingest/${id}`)).status).toBe(200);
});

it('refuses a job that another one waits for, and names it', async () => {
  const needed = await submit();
  const dependant = await submit({ depends_on: [needed] });
  await worker.complete(needed);
  expect(await detailOf(needed)).toEqual([409, expect.stringContaining(dependant) as string]);
});

it('an id that is none is not found, a parameter is refused', async () => {
  expect((await remove('nonsense')).status).toBe(404);
  expect((await stage.call('DELETE', `/v1/ingest/${await submit()}?force=true`)).status).toBe(422);
});
