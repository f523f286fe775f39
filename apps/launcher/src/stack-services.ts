import { findFreePort, isPortFree } from '#shared/runtime/embedded/free-port';
import { type ServiceProcess, startServiceProcess, waitUntilReady } from '#shared/runtime/supervisor/service-process';
import { Supervised } from '#shared/runtime/supervisor/supervised';
import { type ServiceKind, type StackPlan, urlAt } from './stack-plan';

const READY_LIMIT_MS = 180_000;
/** After the grace: what a service may take to hand back work, flush and close. */
const CLOSING_MS = 5_000;

export interface ServiceStatus {
  readonly name: string;
  readonly pid: number | null;
  readonly port: number;
  readonly url: string;
  readonly restarts: number;
}

interface Service {
  readonly name: string;
  readonly kind: ServiceKind;
  readonly supervised: Supervised<ServiceProcess>;
  port: number;
}

/** The services of a stack, each a process of its own, kept running. */
export class StackServices {
  private services: Service[] = [];

  constructor(
    private readonly plan: StackPlan,
    private readonly onChange: () => void,
  ) {}

  /** The gateway's address, once it was started. */
  get gatewayUrl(): string {
    const gateway = this.services.find(({ kind }) => kind === 'gateway');
    return gateway ? urlAt(this.plan.host, gateway.port) : '';
  }

  /**
   * Starts all services and waits until each is ready.
   * @param env what they all get
   * @throws ServiceEndedError or Error when one does not become ready; its output says why
   */
  async start(env: NodeJS.ProcessEnv): Promise<void> {
    const { workers, gatewayPort } = this.plan;
    const names = Array.from({ length: workers }, (_, index) => `step-worker-${index + 1}`);
    this.services = [
      this.service('gateway', 'gateway', gatewayPort, env),
      this.service('scheduler', 'scheduler', 0, env),
      this.service('metrics', 'metrics', 0, env),
      ...names.map((name) => this.service(name, 'step-worker', 0, env)),
    ];
    await Promise.all(this.services.map((service) => this.startAndWait(service)));
  }

  /** Lets them finish within the grace time: those that take work first, then those that serve them. */
  async stop(): Promise<void> {
    const endBy = performance.now() + this.plan.graceMs + CLOSING_MS;
    const takesWork = ({ kind }: Service): boolean => kind === 'gateway' || kind === 'step-worker';
    const stopThese = (services: readonly Service[], atLeastMs: number): Promise<unknown> =>
      Promise.all(services.map((each) => each.supervised.stop(Math.max(endBy - performance.now(), atLeastMs))));
    await stopThese(this.services.filter(takesWork), 0);
    await stopThese(
      this.services.filter((service) => !takesWork(service)),
      1_000,
    );
  }

  /** Ends them without letting them finish anything. */
  async kill(): Promise<void> {
    await Promise.all(this.services.map(({ supervised }) => supervised.stop(0)));
  }

  status(): ServiceStatus[] {
    return this.services.map(({ name, supervised, port }) => ({
      name,
      pid: supervised.current?.pid ?? null,
      port,
      url: urlAt(this.plan.host, port),
      restarts: supervised.restarts,
    }));
  }

  private service(name: string, kind: ServiceKind, wantedPort: number, env: NodeJS.ProcessEnv): Service {
    const { plan } = this;
    const start = async (): Promise<ServiceProcess> => {
      service.port = await this.choosePort(service, wantedPort);
      return startServiceProcess({
        name,
        main: plan.mainOf(kind),
        env: { ...env, PORT: String(service.port) },
        onLine: (line) => plan.onLine(name, line),
      });
    };
    const supervised = new Supervised({ name, start, say: plan.say, onChange: this.onChange });
    const service: Service = { name, kind, supervised, port: wantedPort };
    return service;
  }

  /** A service keeps its port over restarts; only one that nobody asked for may move when another program took it. */
  private async choosePort(service: Service, wantedPort: number): Promise<number> {
    if (wantedPort !== 0) return wantedPort;
    const { host } = this.plan;
    if (service.port !== 0 && (await isPortFree(service.port, host))) return service.port;
    return findFreePort(host);
  }

  private async startAndWait(service: Service): Promise<void> {
    try {
      await service.supervised.start((running) =>
        waitUntilReady(urlAt(this.plan.host, service.port), running, READY_LIMIT_MS),
      );
    } catch (error) {
      throw Object.assign(error as Error, { message: `${service.name}: ${(error as Error).message}` });
    }
  }
}
