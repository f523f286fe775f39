// Exits with 0 when the service of this container is ready. What is wrong goes to the container's health log.
const LIMIT_MS = 4_000;
const url = `http://127.0.0.1:${process.env.PORT ?? '3000'}/health/ready`;

try {
  const response = await fetch(url, { signal: AbortSignal.timeout(LIMIT_MS) });
  console.log(await response.text());
  process.exitCode = response.ok ? 0 : 1;
} catch (error) {
  console.log(error.cause?.code ?? error.name);
  process.exitCode = 1;
}
