/** When those without whom a host is nothing will not have it, whatever it does: then it ends and says why. */
import { type ErrorCode, type HostName, OperationError } from '@skein/shared';

const advice: Partial<Record<ErrorCode, string>> = {
  'link.unauthenticated':
    'let it join that cluster: remove its credentials (in its stateDirectory) and name a join token (joinTokenFile)',
};

/** `peer` is who refuses, with its address. */
export function hostRefused(
  host: HostName,
  peer: string,
  { code, message }: { readonly code: ErrorCode; readonly message: string },
): OperationError {
  const whatToDo = advice[code];
  return new OperationError({
    code,
    message: `${peer} refuses host ${host}: ${message}${whatToDo === undefined ? '' : `; ${whatToDo}`}`,
    details: { host, peer },
  });
}
