import cronstrue from 'cronstrue';
import { cronFields } from '#shared/domain/schedule/cron';

/** A cron in plain English, like `At 08:00, Monday through Friday`; what cannot be put into words stays as it is. */
export function cronWords(cron: string): string {
  const fields = cronFields(cron).map((field) => field.replaceAll('?', '*'));
  // A second of 0 would be told as if somebody had asked for it.
  const text = (fields[0] === '0' ? fields.slice(1) : fields).join(' ');
  try {
    const words = cronstrue.toString(text, { use24HourTimeFormat: true, throwExceptionOnParseError: true });
    // Two fields of days are alternatives, as in every cron.
    return fields[3] === '*' || fields[5] === '*' ? words : words.replace(', and on ', ', or on ');
  } catch {
    return cron.trim();
  }
}
