import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { gatewayAdapter } from '../http/gateway-adapter';
import { SCREENS, serveDashboard } from './dashboard-files';

@Module({})
class NothingElse {}

const SCRIPT = 'console.log(1);'.repeat(100);

let folder: string;
let app: NestFastifyApplication;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-dashboard-spec-'));
  await writeFile(join(folder, 'secret.txt'), 'not for the world');
  app = await NestFactory.create<NestFastifyApplication>(NothingElse, gatewayAdapter(), { logger: false });
  await serveDashboard(app, join(folder, 'dashboard'));
  await app.init();
});
afterAll(async () => {
  await app.close();
  await rm(folder, { recursive: true, force: true });
});

const get = (url: string, headers: Record<string, string> = {}) => app.inject({ method: 'GET', url, headers });

it('says how to build it where it has not been built', async () => {
  const answer = await get('/');
  expect(answer.statusCode).toBe(503);
  expect(answer.body).toContain('npm run build');
});

describe('once it is built, without a restart', () => {
  beforeAll(async () => {
    await mkdir(join(folder, 'dashboard', 'assets'), { recursive: true });
    await writeFile(join(folder, 'dashboard', 'index.html'), '<!doctype html><title>Sluice</title>');
    await writeFile(join(folder, 'dashboard', 'assets', 'a.js'), SCRIPT);
    await writeFile(join(folder, 'dashboard', 'assets', 'a.js.gz'), gzipSync(SCRIPT));
  });

  it.each([...SCREENS, '/jobs?status=failed'])('%s is the page, under a policy', async (screen) => {
    const { statusCode, headers, body } = await get(screen.replace(/:\w+/, 'x'));
    expect([statusCode, body]).toEqual([200, '<!doctype html><title>Sluice</title>']);
    expect(headers['content-security-policy']).toMatch(/^default-src 'self';/);
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-cache',
    });
  });

  it('assets are kept by browsers for ever, and sent compressed to those that take it', async () => {
    const plain = await get('/assets/a.js');
    expect([plain.statusCode, plain.body]).toEqual([200, SCRIPT]);
    expect(plain.headers['content-type']).toContain('javascript');
    expect(plain.headers).toMatchObject({ 'cache-control': 'public, max-age=31536000, immutable' });
    const small = await get('/assets/a.js', { 'accept-encoding': 'gzip' });
    expect(small.headers).toMatchObject({ 'content-encoding': 'gzip' });
    expect(small.rawPayload.length).toBeLessThan(SCRIPT.length / 2);
  });

  it.each(['/assets/../../secret.txt', '/assets/%2e%2e/%2e%2e/secret.txt', '/assets/..%2f..%2fsecret.txt'])(
    'nothing outside of it is served (%s)',
    async (url) => {
      const { statusCode, body } = await get(url);
      expect(statusCode).toBeGreaterThanOrEqual(400);
      expect(body).not.toContain('not for the world');
    },
  );

  it.each([
    ...['/assets/none.js', '/assets/', '/assets/a.js.gz', '/index.htm', '/nothing'],
    ...['/assets/..%2findex.html', '/assets/..%5cindex.html', '/assets/a%00.js'],
  ])('%s is not there, and nobody is to remember that', async (url) => {
    const { statusCode, headers } = await get(url);
    expect(statusCode).toBe(404);
    expect(headers['cache-control']).toBeUndefined();
  });

  it.each(['bytes=5-2', 'bytes=999999999-', 'bytes=0-3'])('a range (%s) is not heeded', async (range) => {
    const { statusCode, body } = await get('/assets/a.js', { range });
    expect([statusCode, body]).toEqual([200, SCRIPT]);
  });
});
