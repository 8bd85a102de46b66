import { containerOf, docker } from '../container-cluster.ts';

/** Of a host's container on the migration network. */
export async function migrationAddressOf(host: string): Promise<string> {
  const format =
    '{{range $name, $network := .NetworkSettings.Networks}}{{$name}} {{$network.IPAddress}}\n{{end}}';
  const networks = await docker('inspect', '--format', format, containerOf(host));
  const address = /_migration (\S+)/.exec(networks)?.[1];
  if (address === undefined) throw new Error(`${host} is not on the migration network`);
  return address;
}
