import {
  ConnectedSocket,
  MessageBody,
  type OnGatewayConnection,
  SubscribeMessage,
  WebSocketGateway,
} from '@nestjs/websockets';
import { WebSocket } from 'ws';
import { CLIENT_MESSAGE } from './job-socket.adapter';
import { LiveViews } from './live-views';
import { ManyJobs } from './many-jobs';
import { SOCKET_OPTIONS } from './socket-options';

/** Many jobs on one socket: the client says which. */
@WebSocketGateway({ path: '/v1/ingest/ws', ...SOCKET_OPTIONS })
export class JobsGateway implements OnGatewayConnection {
  private readonly clients = new WeakMap<WebSocket, ManyJobs>();

  constructor(private readonly views: LiveViews) {}

  handleConnection(client: WebSocket): void {
    const view = this.views.open(client);
    const makeWatches = this.views.watchesFor.bind(this.views, view);
    this.clients.set(client, new ManyJobs(view.socket, this.views.feed, makeWatches));
  }

  @SubscribeMessage(CLIENT_MESSAGE)
  onMessage(@ConnectedSocket() client: WebSocket, @MessageBody() text: string): void {
    this.clients.get(client)?.onMessage(text);
  }
}
