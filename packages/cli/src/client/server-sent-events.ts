/**
 * Reads a stream of server-sent events. Source: WHATWG HTML, "Interpreting an event stream". Omitted: `retry`; the
 * caller decides when to connect again.
 */
export interface ServerSentEvent {
  readonly event: string;
  readonly id: string;
  readonly data: string;
}

/** A line that never ends is no event. */
const lineCharactersMax = 1 << 20;

/** @throws RangeError for a line of more than a mebibyte */
export async function* readServerSentEvents(
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<ServerSentEvent> {
  let data: string[] = [];
  let event = '';
  let id = '';
  for await (const line of readLines(body)) {
    if (line === '') {
      if (data.length > 0) yield { event: event === '' ? 'message' : event, id, data: data.join('\n') };
      data = [];
      event = '';
      continue;
    }
    const colon = line.indexOf(':');
    if (colon === 0) continue; // a comment, which keeps the connection alive
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'data') data.push(value);
    else if (field === 'event') event = value;
    else if (field === 'id') id = value;
  }
}

/** Lines end with CR LF, LF or CR. */
async function* readLines(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    // A CR at the end may be the first half of CR LF.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    if (rest.length > lineCharactersMax) throw new RangeError('a line of the event stream is too long');
    yield* lines;
  }
}
