/**
 * The cluster's own certificate authority: it certifies the programs of this cluster and nobody else. Its key is in the
 * coordinator's state directory and goes nowhere. X.509 as of RFC 5280; certificates are written by @peculiar/x509 and
 * checked by OpenSSL.
 */
import { createPrivateKey, createPublicKey, randomBytes, webcrypto } from 'node:crypto';
import 'reflect-metadata'; // Its dependency tsyringe asks for it.
import * as x509 from '@peculiar/x509';
import { OperationError } from '@skein/shared';
import { type CertifiedName, certifiedUri } from './certified-name.ts';
import { type Credentials, findCredentials, writeCredentials } from './credentials.ts';
import { authorityHashOf } from './join-token.ts';
import { makeKeyPair } from './key-pair.ts';

x509.cryptoProvider.set(webcrypto);

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const authorityYears = 20;
/** Clocks of a cluster's machines differ; a certificate must hold at once on all of them. */
const backdatedMs = 10 * 60_000;

export class CertificateAuthority {
  /** PEM. */
  readonly certificate: string;
  /** By which newcomers recognise this authority. */
  readonly hash: string;
  readonly #privateKey: webcrypto.CryptoKey;
  readonly #parsed: x509.X509Certificate;

  private constructor(certificate: string, privateKey: webcrypto.CryptoKey) {
    this.certificate = certificate;
    this.hash = authorityHashOf(certificate);
    this.#privateKey = privateKey;
    this.#parsed = new x509.X509Certificate(certificate);
  }

  /**
   * The one in `directory`, made at the first start.
   * @throws OperationError config.unreadable, config.invalid
   */
  static async open(directory: string, cluster: string, nowMs: number): Promise<CertificateAuthority> {
    const found = findCredentials(directory);
    if (found !== null) return new CertificateAuthority(found.certificate, await importPrivateKey(found.key));
    const made = await makeAuthority(cluster, nowMs);
    await writeCredentials(directory, made);
    return new CertificateAuthority(made.certificate, await importPrivateKey(made.key));
  }

  /** A certificate (PEM) for that public key (PEM, P-256): valid for both ends of a link, under this one name. */
  async certify(
    subject: CertifiedName,
    publicKey: string,
    { nowMs, lifeMs }: { readonly nowMs: number; readonly lifeMs: number },
  ): Promise<string> {
    const key = await importPublicKey(publicKey);
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: freshSerialNumber(),
      subject: `CN=${subject.kind} ${subject.name}`,
      issuer: this.#parsed.subject,
      notBefore: new Date(nowMs - backdatedMs),
      notAfter: new Date(nowMs + lifeMs),
      signingAlgorithm: algorithm,
      publicKey: key,
      signingKey: this.#privateKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([
          x509.ExtendedKeyUsage.serverAuth,
          x509.ExtendedKeyUsage.clientAuth,
        ]),
        new x509.SubjectAlternativeNameExtension([{ type: 'url', value: certifiedUri(subject) }]),
        await x509.AuthorityKeyIdentifierExtension.create(this.#parsed.publicKey),
      ],
    });
    return certificate.toString('pem');
  }

  /** Keys and certificate in one, for the program that holds the authority. */
  async ownCredentials(
    subject: CertifiedName,
    validity: { readonly nowMs: number; readonly lifeMs: number },
  ): Promise<Credentials> {
    const keys = makeKeyPair();
    const certificate = await this.certify(subject, keys.publicKey, validity);
    return { key: keys.privateKey, certificate, authority: this.certificate };
  }
}

async function makeAuthority(cluster: string, nowMs: number): Promise<Credentials> {
  const keys = makeKeyPair();
  const notAfter = new Date(nowMs);
  notAfter.setFullYear(notAfter.getFullYear() + authorityYears);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: freshSerialNumber(),
    name: `CN=Skein cluster ${cluster}`,
    notBefore: new Date(nowMs - backdatedMs),
    notAfter,
    signingAlgorithm: algorithm,
    keys: {
      publicKey: await importPublicKey(keys.publicKey),
      privateKey: await importPrivateKey(keys.privateKey),
    },
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  const pem = certificate.toString('pem');
  return { key: keys.privateKey, certificate: pem, authority: pem };
}

/** Positive, and not to be guessed (RFC 5280, 4.1.2.2). */
function freshSerialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

async function importPrivateKey(pem: string): Promise<webcrypto.CryptoKey> {
  try {
    return createPrivateKey(pem).toCryptoKey(algorithm, false, ['sign']);
  } catch (cause) {
    const message = 'the private key of the certificate authority is damaged: restore it from a backup';
    throw new OperationError({ code: 'config.invalid', message, cause });
  }
}

async function importPublicKey(pem: string): Promise<webcrypto.CryptoKey> {
  return createPublicKey(pem).toCryptoKey(algorithm, true, ['verify']);
}
