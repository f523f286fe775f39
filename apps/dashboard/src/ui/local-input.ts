const two = (value: number): string => String(value).padStart(2, '0');

/** What an `<input type="datetime-local">` shows for a time: `2030-01-31T18:30:05`; '' for none. */
export function toLocalInput(time: string): string {
  const at = new Date(time);
  if (Number.isNaN(at.getTime())) return '';
  const year = String(at.getFullYear()).padStart(4, '0');
  const day = [year, two(at.getMonth() + 1), two(at.getDate())].join('-');
  return `${day}T${[at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':')}`;
}

/** The time that the reader's clock shows so, in UTC; '' for none. */
export function fromLocalInput(text: string): string {
  const at = new Date(text);
  return text === '' || Number.isNaN(at.getTime()) ? '' : at.toISOString();
}
