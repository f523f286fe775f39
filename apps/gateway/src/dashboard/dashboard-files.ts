import { existsSync } from 'node:fs';
import { join, sep } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';

/** The addresses of the dashboard's screens: each is answered with the page, which shows the screen itself. */
export const SCREENS = [
  '/',
  '/jobs',
  '/jobs/:id',
  '/scheduled',
  '/dead-letters',
  '/dead-letters/:fingerprint',
  '/resources',
  '/submit',
] as const;

/** No script, style, picture or connection but the gateway's own; no page around it. */
const POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";
const YEAR_S = 31_536_000;
/** As the build names them: in one folder. Their compressed forms are chosen by what the browser takes. */
const ASSET = /^[\w-]+(?:\.[\w-]+)*\.(?:js|css|svg|woff2)$/;

const NOT_BUILT =
  '<!doctype html><html lang="en"><title>Sluice</title><h1>The dashboard has not been built</h1>' +
  '<p>Run <code>npm run build</code> in the folder of Sluice and load this page again. ' +
  'The REST API and the <code>sluice</code> command work without it.</p></html>';

/**
 * Serves the dashboard's files, which need no key: they hold nothing of jobs.
 * @param folder where it was built; asked at each call of a screen, so that it may be built later
 */
export async function serveDashboard(app: NestFastifyApplication, folder: string): Promise<void> {
  const fastify = app.getHttpAdapter().getInstance();
  const assets = join(folder, 'assets');
  await app.register(fastifyStatic, {
    root: folder,
    serve: false,
    preCompressed: true,
    cacheControl: false,
    // They are small; without ranges none can be wrong.
    acceptRanges: false,
    // Only what is there is kept: the names of assets change with their content.
    setHeaders: (reply, path) => {
      const isAsset = path.startsWith(assets + sep);
      reply.setHeader('Cache-Control', isAsset ? `public, max-age=${YEAR_S}, immutable` : 'no-cache');
    },
  });
  for (const screen of SCREENS) {
    fastify.get(screen, (_request, reply) => {
      void reply.headers({ 'Content-Security-Policy': POLICY, 'Referrer-Policy': 'no-referrer' });
      if (existsSync(join(folder, 'index.html'))) return reply.sendFile('index.html');
      return reply.code(503).type('text/html; charset=utf-8').send(NOT_BUILT);
    });
  }
  fastify.get('/favicon.svg', (_request, reply) => reply.sendFile('favicon.svg'));
  fastify.get<{ Params: { name: string } }>('/assets/:name', ({ params: { name } }, reply) =>
    ASSET.test(name) ? reply.sendFile(name, assets) : reply.callNotFound(),
  );
}
