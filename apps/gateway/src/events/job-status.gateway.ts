import { type OnGatewayConnection, WebSocketGateway } from '@nestjs/websockets';
import type { IncomingMessage } from 'node:http';
import type { WebSocket } from 'ws';
import { jobIdOf } from './job-id';
import { CLOSE } from './live-socket';
import { LiveViews } from './live-views';
import { SOCKET_OPTIONS } from './socket-options';

/** One job: its snapshot, its events, and a close with 1000 when it has ended. What the client says is ignored. */
@WebSocketGateway({ path: '/v1/ingest/ws/status/*', ...SOCKET_OPTIONS })
export class JobStatusGateway implements OnGatewayConnection {
  constructor(private readonly views: LiveViews) {}

  handleConnection(client: WebSocket, request: IncomingMessage): void {
    const view = this.views.open(client);
    const { socket } = view;
    const { watched, limits } = this.views.feed;
    const watches = this.views.watchesFor(view, {
      ended: () => socket.end(CLOSE.done, 'the job has ended'),
      missing: () => socket.end(CLOSE.refused, 'there is no such job'),
      unreadable: (_, first) => {
        if (first) socket.end(CLOSE.tryAgainLater, 'the job cannot be read now');
      },
    });
    const jobId = jobIdOf(lastSegment(request.url ?? ''));
    if (jobId === null) socket.end(CLOSE.refused, 'there is no such job');
    else if (watched.jobs >= limits.maxWatched) socket.end(CLOSE.tryAgainLater, 'too many jobs are being watched');
    else void watches.watch(jobId);
  }
}

function lastSegment(url: string): string {
  const path = url.split('?', 1)[0] ?? '';
  return path.slice(path.lastIndexOf('/') + 1);
}
