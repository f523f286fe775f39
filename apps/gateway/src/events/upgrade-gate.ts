import type { IncomingMessage } from 'node:http';
import type { LiveViews } from './live-views';

/** Why a request does not become a socket, as an HTTP answer says it. */
export interface Refusal {
  readonly status: number;
  readonly detail: string;
}

/** Who may come in: API keys, Origin, Host. */
export interface SocketAccess {
  refusal(request: IncomingMessage): Refusal | null;
}

/** Decides at the upgrade, before a socket costs anything. */
export class UpgradeGate {
  constructor(
    private readonly access: SocketAccess,
    private readonly views: LiveViews,
  ) {}

  /** Null: the request may become a socket. */
  refusal(request: IncomingMessage): Refusal | null {
    const refusal = this.access.refusal(request);
    if (refusal) return refusal;
    const detail = this.views.refusal;
    return detail === null ? null : { status: 503, detail };
  }
}
