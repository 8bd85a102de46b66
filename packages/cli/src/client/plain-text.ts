/**
 * What a terminal would show as text, from a stream that is cut anywhere: UTF-8 decoded, escape sequences and carriage
 * returns left out. Source: ECMA-48, "Control sequences". Omitted: what sequences do, such as moving the cursor.
 */
import { stripVTControlCharacters } from 'node:util';

const escapeCharacter = '\x1b';
/** No sequence that a shell sends is longer; an escape without an end is text after so many characters. */
const sequenceMax = 32;

export class PlainText {
  readonly #decoder = new TextDecoder();
  /** The beginning of an escape sequence whose end has not come yet. */
  #unfinished = '';

  push(bytes: Uint8Array): string {
    const raw = this.#unfinished + this.#decoder.decode(bytes, { stream: true });
    const end = endOfWhole(raw);
    this.#unfinished = raw.slice(end);
    return stripVTControlCharacters(raw.slice(0, end)).replaceAll('\r', '');
  }
}

function endOfWhole(raw: string): number {
  const start = raw.lastIndexOf(escapeCharacter);
  if (start < 0 || raw.length - start > sequenceMax) return raw.length;
  const isUnfinished = /^(?:\[[0-9;?]*)?$/.test(raw.slice(start + 1));
  return isUnfinished ? start : raw.length;
}
