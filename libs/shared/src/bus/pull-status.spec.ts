import { readPullStatus } from './pull-status';

describe('readPullStatus', () => {
  it.each([
    [100, 'Idle Heartbeat', 'going_on'],
    [404, 'No Messages', 'used_up'],
    [408, 'Request Timeout', 'used_up'],
    [408, 'Requests Pending', 'used_up'],
    [409, 'Consumer Deleted', 'missing'],
    [409, 'Stream Deleted', 'missing'],
    [503, '', 'missing'],
    [409, 'Leadership Change', 'refused'],
    [409, 'Server Shutdown', 'refused'],
    [409, 'Exceeded MaxWaiting', 'refused'],
    [409, 'Exceeded MaxRequestBatch of 10', 'refused'],
    [400, 'Bad Request', 'refused'],
    [0, '', 'refused'],
  ])('%i %s: %s', (code, description, kind) => {
    expect(readPullStatus(code, description).kind).toBe(kind);
  });
});
