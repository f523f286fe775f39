import fc from 'fast-check';
import { parsePublishAck } from './publish-ack';

describe('parsePublishAck', () => {
  it.each([
    ['{"stream":"SLUICE_WORK","seq":7}', { kind: 'stored', seq: 7, duplicate: false }],
    ['{"stream":"SLUICE_WORK","domain":"hub","seq":7,"duplicate":true}', { kind: 'stored', seq: 7, duplicate: true }],
    [
      '{"error":{"code":503,"err_code":10077,"description":"maximum messages exceeded"},"stream":"S","seq":0}',
      { kind: 'refused', reason: 'maximum messages exceeded' },
    ],
    ['{"error":{}}', { kind: 'refused', reason: 'an error' }],
    ['{"seq":"7"}', { kind: 'in_doubt' }],
    ['null', { kind: 'in_doubt' }],
    ['+OK', { kind: 'in_doubt' }],
  ])('%s', (text, outcome) => {
    expect(parsePublishAck(text)).toEqual(outcome);
  });

  it('takes any text for an answer without throwing, and no text but an ack for "stored"', () => {
    fc.assert(fc.property(fc.string(), (text) => expect(parsePublishAck(text).kind).not.toBe('stored')));
    fc.assert(fc.property(fc.json(), (text) => void parsePublishAck(text)));
  });
});
