/** Busybox's ping: `5 packets transmitted, 5 packets received, 0% packet loss`. */
export function parsePingSummary(text: string): { readonly sent: number; readonly received: number } | null {
  const match = /(\d+) packets transmitted, (\d+) packets received/.exec(text);
  return match === null ? null : { sent: Number(match[1]), received: Number(match[2]) };
}
