import { join } from 'node:path';
import type { ProcessExit } from '#shared/runtime/embedded/guardian';
import { type ServiceProcess, startServiceProcess, waitUntilReady } from '#shared/runtime/supervisor/service-process';

export type ServiceKind = 'gateway' | 'scheduler' | 'metrics' | 'step-worker';

const DIST_APPS = join(__dirname, '..', '..', 'dist', 'apps');
/** A service starts within two seconds; on a machine that is busy with other tests it has taken more than twenty. */
const READY_LIMIT_MS = 120_000;
const STOP_LIMIT_MS = 15_000;

export interface TestServiceOptions {
  readonly kind: ServiceKind;
  readonly name: string;
  readonly port: number;
  readonly env: NodeJS.ProcessEnv;
}

/** One built service as a process of its own, that may be killed, stopped, frozen and started again. */
export class TestService {
  /** Everything that it has said, over all its lives. */
  readonly lines: string[] = [];
  readonly url: string;
  private running: ServiceProcess | undefined;

  constructor(private readonly options: TestServiceOptions) {
    this.url = `http://127.0.0.1:${options.port}`;
  }

  get name(): string {
    return this.options.name;
  }

  /** Of the process that runs, or ran last. */
  get pid(): number {
    if (!this.running) throw new Error(`${this.name} was not started`);
    return this.running.pid;
  }

  /**
   * Starts it and waits until it is ready.
   * @param env over the variables that it usually gets
   */
  async start(env: NodeJS.ProcessEnv = {}): Promise<void> {
    await this.startUnready(env);
    await this.untilReady();
  }

  /** Starts it and does not wait: for a service that cannot become ready yet. */
  async startUnready(env: NodeJS.ProcessEnv = {}): Promise<void> {
    const { kind, name, port } = this.options;
    this.running = await startServiceProcess({
      name,
      main: join(DIST_APPS, kind, 'src', 'main.js'),
      env: { ...this.options.env, ...env, PORT: String(port) },
      onLine: (line) => this.lines.push(line),
    });
  }

  /** Waits until `/health/ready` answers 200. */
  async untilReady(limitMs = READY_LIMIT_MS): Promise<void> {
    if (!this.running) throw new Error(`${this.name} was not started`);
    try {
      await waitUntilReady(this.url, this.running, limitMs);
    } catch (error) {
      throw new Error(`${this.name}: ${String(error)}\n${this.lastLines(30)}`);
    }
  }

  /** Sends a signal and does not wait: SIGSTOP, SIGCONT, SIGTERM. */
  signal(signal: NodeJS.Signals): void {
    this.running?.kill(signal);
  }

  /** Kills it as kill -9 does; resolves when it is gone. */
  async kill(): Promise<void> {
    this.running?.kill('SIGKILL');
    await this.running?.exited;
  }

  /** SIGTERM, as an operator stops it. Killed when it takes longer than 15 s. */
  async stop(): Promise<ProcessExit | undefined> {
    // One that is frozen could not hear it.
    this.running?.kill('SIGCONT');
    return this.running?.stop(STOP_LIMIT_MS);
  }

  /** How it ended. Waits for the end. */
  async exit(): Promise<ProcessExit | undefined> {
    return this.running?.exited;
  }

  /** What it has said last, for the report of a failed test, without what failpoints told by the thousand. */
  lastLines(count: number): string {
    return this.lines
      .filter((line) => !line.includes('"action":"tell"'))
      .slice(-count)
      .map((line) => `  ${this.name} | ${line}`)
      .join('\n');
  }
}
