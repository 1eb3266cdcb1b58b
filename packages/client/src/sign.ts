// Keys and the texts that they sign (EIP-191 personal_sign). Anything with an address and signMessage({message}) signs too: an
// account of viem, a wallet in a browser.
import { secp256k1 } from '@noble/curves/secp256k1';
import { keccak_256 } from '@noble/hashes/sha3';
import { bytesToHex, concatBytes, hexToBytes, randomBytes, utf8ToBytes } from '@noble/hashes/utils';
import type { Hex } from './types.js';

export interface Signer {
	readonly address: string;
	signMessage(args: { message: string }): Promise<string>;
}

/** EIP-55. */
export function checksummed(address: Uint8Array): Hex {
	const hex = bytesToHex(address);
	const hash = bytesToHex(keccak_256(utf8ToBytes(hex)));
	return `0x${[...hex].map((c, i) => (parseInt(hash.charAt(i), 16) >= 8 ? c.toUpperCase() : c)).join('')}`;
}

/** A secp256k1 key that is kept here: a session key, or a bot's wallet. */
export class Key implements Signer {
	readonly address: Hex;
	private readonly secret: Uint8Array;

	constructor(secret: Uint8Array | Hex) {
		this.secret = typeof secret === 'string' ? hexToBytes(secret.slice(2)) : secret;
		this.address = checksummed(keccak_256(secp256k1.getPublicKey(this.secret, false).subarray(1)).subarray(12));
	}

	static random(): Key {
		return new Key(secp256k1.utils.randomPrivateKey());
	}

	async signMessage({ message }: { message: string }): Promise<Hex> {
		const text = utf8ToBytes(message);
		const hash = keccak_256(concatBytes(utf8ToBytes(`\x19Ethereum Signed Message:\n${text.length}`), text));
		const sig = secp256k1.sign(hash, this.secret, { lowS: true });
		return `0x${sig.toCompactHex()}${(27 + sig.recovery).toString(16)}`;
	}
}

export interface BetFields { cell: string; stake: number; rate: number; nonce: string; timestamp: number; chain_id: number }
export interface WithdrawalFields { amount: number; to: string; nonce: string; timestamp: number; chain_id: number }

/** A UUID of version 4 in lower case; the global crypto is not in every node that is good for the rest. */
export function newNonce(): string {
	const b = randomBytes(16);
	b[6] = (b[6]! & 0x0f) | 0x40;
	b[8] = (b[8]! & 0x3f) | 0x80;
	return bytesToHex(b).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

export function betText(b: BetFields): string {
	return ['Tap Trading Bet', 'Action: place_bet', `Cell: ${b.cell}`, `Stake: ${b.stake}`, `Rate: ${b.rate}`, `Nonce: ${b.nonce}`,
		`Timestamp: ${b.timestamp}`, `Chain: ${b.chain_id}`, 'Version: 1'].join('\n');
}

export function withdrawalText(w: WithdrawalFields): string {
	return ['Tap Trading Withdrawal', 'Action: withdraw', `Amount: ${w.amount}`, `To: ${w.to}`, `Nonce: ${w.nonce}`,
		`Timestamp: ${w.timestamp}`, `Chain: ${w.chain_id}`, 'Version: 1'].join('\n');
}
