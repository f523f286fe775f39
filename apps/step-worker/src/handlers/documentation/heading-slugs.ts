/** Anchors of headings as GitHub makes them: `Getting started!` is `getting-started`, a second one `getting-started-1`. */
export class HeadingSlugs {
  private readonly used = new Map<string, number>();

  /** The anchor of the next heading of the document. */
  next(heading: string): string {
    const base = slugOf(heading);
    let slug = base;
    while (this.used.has(slug)) {
      const repeats = (this.used.get(base) ?? 0) + 1;
      this.used.set(base, repeats);
      slug = `${base}-${repeats}`;
    }
    this.used.set(slug, 0);
    return slug;
  }
}

function slugOf(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-');
}
