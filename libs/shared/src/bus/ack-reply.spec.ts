import fc from 'fast-check';
import { parseAckReply } from './ack-reply';

const V1 = '$JS.ACK.SLUICE_WORK.work_default_high.3.120.245.1795477114211116761.17';

describe('parseAckReply', () => {
  it('reads the short form', () => {
    expect(parseAckReply(V1)).toEqual({ deliveryCount: 3, streamSeq: 120, pending: 17 });
  });

  it.each([
    '$JS.ACK.hub.AccHash.SLUICE_WORK.work_default_high.3.120.245.1795477114211116761.17',
    '$JS.ACK._.AccHash.SLUICE_WORK.work_default_high.3.120.245.1795477114211116761.17.rAnd0m',
    '$JS.ACK._.AccHash.SLUICE_WORK.work_default_high.3.120.245.1795477114211116761.17.rAnd0m.more.and.more.x.y.z',
  ])('reads the long form with domain and account: %s', (reply) => {
    expect(parseAckReply(reply)).toEqual({ deliveryCount: 3, streamSeq: 120, pending: 17 });
  });

  it.each([
    '',
    '_INBOX.abc.1',
    '$JS.ACK',
    '$JS.ACK.a.b.1.2.3.4',
    '$JS.ACK.a.b.1.2.3.4.5.6',
    '$JS.ACK.a.b.0.2.3.4.5',
    '$JS.ACK.a.b.1.0.3.4.5',
    '$JS.ACK.a.b.x.2.3.4.5',
    '$JS.ACK.a.b.1.-2.3.4.5',
    '$JS.ACK.a.b.1.2.3.4.',
    '$JS.ACK.a.b.1.99999999999999999.3.4.5',
  ])('refuses what is none: "%s"', (reply) => {
    expect(parseAckReply(reply)).toBeNull();
  });

  it('reads back any numbers, in both forms, and never throws on any text', () => {
    const seq = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
    const token = fc.stringMatching(/^[A-Za-z0-9_-]{1,20}$/);
    fc.assert(
      fc.property(seq, seq, fc.nat(), token, token, fc.boolean(), (deliveryCount, streamSeq, pending, a, b, long) => {
        const front = long ? `${a}.${b}.` : '';
        const reply = `$JS.ACK.${front}${a}.${b}.${deliveryCount}.${streamSeq}.7.1795477114211116761.${pending}`;
        expect(parseAckReply(reply)).toEqual({ deliveryCount, streamSeq, pending });
      }),
    );
    fc.assert(fc.property(fc.string(), (text) => void parseAckReply(`$JS.ACK.${text}`)));
  });
});
