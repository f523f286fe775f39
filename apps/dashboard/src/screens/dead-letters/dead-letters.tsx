import './dead-letters.css';
import type { ReactNode } from 'react';
import { useRowKeys } from '../../ui/keys';
import { LetterGroup } from './letter-group';
import { LetterGroups } from './letter-groups';

/**
 * What has failed for good.
 * @param fingerprint of the group that is open; without: all groups
 */
export function DeadLetters({ fingerprint }: { readonly fingerprint?: string }): ReactNode {
  useRowKeys('.row');
  return (
    <div className="letters">
      {fingerprint === undefined ? <LetterGroups /> : <LetterGroup fingerprint={fingerprint} />}
    </div>
  );
}
