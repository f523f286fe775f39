import { escapeControls } from '#shared/runtime/log-text';

/** Text from elsewhere as one line that cannot steer the terminal. */
export const oneLine = (text: string): string => escapeControls(text.replace(/\s+/g, ' ').trim());
