import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServiceList } from './service-list';

const folder = mkdtempSync(join(tmpdir(), 'sluice-services-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('lists what the launcher says, and nothing of its secrets', async () => {
  const file = join(folder, 'stack.json');
  const gateway = { name: 'gateway', pid: 7, port: 3000, url: 'http://127.0.0.1:3000', restarts: 1 };
  writeFileSync(
    file,
    JSON.stringify({ database_url: 'postgres://u:secret@h/d', services: [{ ...gateway, more: 'secret' }] }),
  );
  expect(await new ServiceList(file).list()).toEqual([gateway]);
});

it('lists nothing for a gateway that was started alone', async () => {
  expect(await new ServiceList(null).list()).toEqual([]);
});
