/** What is used of Fastify's reply. */
export interface Reply {
  status(code: number): unknown;
  header(name: string, value: string): unknown;
}
