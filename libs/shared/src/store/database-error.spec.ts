import { constants } from 'node:os';
import { QueryFailedError } from 'typeorm';
import { isPassingDatabaseError } from '#shared/store/database-error';

const withCode = (code: unknown, message = 'said the server'): Error => Object.assign(new Error(message), { code });

const PASSING_STATES = {
  '08000': 'connection exception',
  '08006': 'connection failure',
  '08P01': 'protocol violation',
  '53100': 'disk full',
  '53200': 'out of memory',
  '53300': 'too many connections',
  '57014': 'query canceled: its time was up',
  '57P01': 'admin shutdown',
  '57P02': 'crash shutdown',
  '57P03': 'cannot connect now: it is starting',
  '58030': 'I/O error',
  '40001': 'serialization failure',
  '40P01': 'deadlock detected',
  '55P03': 'lock not available',
  '25P02': 'in failed transaction',
  '25P03': 'idle in transaction for too long',
} as const;

const LASTING_STATES = {
  '22021': 'a NUL character in a text',
  '22P02': 'malformed number',
  '22008': 'a time out of range',
  '23505': 'unique violation',
  '23514': 'check violation',
  '25P01': 'no active transaction',
  '40002': 'integrity violation at commit',
  '42601': 'syntax error',
  '42703': 'no such column',
  '42P01': 'no such table',
  P0001: 'raised',
  XX000: 'internal error',
} as const;

describe('isPassingDatabaseError', () => {
  it.each(Object.entries(PASSING_STATES))('%s (%s): try again', (state) => {
    expect(isPassingDatabaseError(withCode(state))).toBe(true);
  });

  it.each(Object.entries(LASTING_STATES))('%s (%s): the same would happen again', (state) => {
    expect(isPassingDatabaseError(withCode(state))).toBe(false);
  });

  it('takes every error of the operating system for passing, whatever its name', () => {
    const names = [...Object.keys(constants.errno), 'ENOTFOUND', 'EAI_AGAIN', 'ERR_SOCKET_CLOSED', 'CERT_HAS_EXPIRED'];
    expect(names).toContain('EPIPE');
    expect(names.filter((name) => !isPassingDatabaseError(withCode(name)))).toEqual([]);
  });

  it.each([
    'Connection terminated unexpectedly',
    'Connection terminated due to connection timeout',
    'timeout exceeded when trying to connect',
    'Query read timeout',
    'Client was closed and is not queryable',
    'Client has encountered a connection error and is not queryable',
    'socket hang up',
  ])('knows the words of the driver, which has no codes for them: %s', (message) => {
    expect(isPassingDatabaseError(new Error(message))).toBe(true);
  });

  it('looks through the wrapping of the query builder', () => {
    const wrapped = (code: string): Error => new QueryFailedError('SELECT 1', [], withCode(code));
    expect(isPassingDatabaseError(wrapped('57P01'))).toBe(true);
    expect(isPassingDatabaseError(wrapped('ECONNRESET'))).toBe(true);
    expect(isPassingDatabaseError(wrapped('EPIPE'))).toBe(true);
    expect(isPassingDatabaseError(wrapped('23505'))).toBe(false);
  });

  it('takes any other error for a fault of the program', () => {
    for (const error of [
      new TypeError('x is undefined'),
      new Error('no lane'),
      withCode(7),
      'connection',
      null,
      undefined,
      3,
    ])
      expect(isPassingDatabaseError(error)).toBe(false);
  });
});
