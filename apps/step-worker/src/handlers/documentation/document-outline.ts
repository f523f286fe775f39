/** A heading with the text up to the next one. */
export interface Section {
  /** 1 for the topmost. */
  readonly level: number;
  readonly name: string;
  /** The anchor that links name, unique in the document. */
  readonly slug: string;
  readonly line: number;
  readonly text: string;
}

export interface Link {
  /** As it is written. */
  readonly target: string;
  readonly text: string;
  readonly line: number;
  /** The index of the section that holds it; -1 before the first heading. */
  readonly section: number;
  readonly image: boolean;
}

/** What is recorded of a document. */
export interface DocumentOutline {
  readonly title: string | null;
  /** The text before the first heading. */
  readonly text: string;
  readonly sections: readonly Section[];
  /** One for each target, in the order in which the targets first appear. */
  readonly links: readonly Link[];
  /** Something was left out, because there is too much of it. */
  readonly truncated: boolean;
}
