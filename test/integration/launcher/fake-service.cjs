// Stands in for a service: answers at PORT, and behaves at the end as FAKE_<NAME> in its environment says.
const { createServer } = require('node:http');

const name = process.argv[2].replace('sluice-', '');
const behaviour = process.env[`FAKE_${name.toUpperCase().replaceAll('-', '_')}`] ?? 'well';
console.log(`${name} begins`);
if (behaviour === 'misconfigured') {
  console.error('pipeline_config.yml:3: retry: expected a mapping, found 7');
  process.exit(2);
}
const server = createServer((request, response) => {
  response.statusCode = request.url === '/health/ready' && behaviour !== 'unready' ? 200 : 503;
  response.end(JSON.stringify({ name, database_url: process.env.DATABASE_URL, nats_url: process.env.NATS_URL }));
});
server.listen(Number(process.env.PORT), process.env.SLUICE_HOST);
process.on('SIGTERM', () => {
  console.log(`${name} drains`);
  if (behaviour === 'deaf') return;
  server.close(() => process.exit(0));
  server.closeAllConnections();
});
